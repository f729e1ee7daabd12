"""What the API does besides answering: services that run as long as the process."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

PAUSE = 1.0  # seconds before a service that broke is started again


class Service(Protocol):
    """run: goes on until it is cancelled; it deals with what it expects, such as a database that is away."""

    @property
    def name(self) -> str: ...

    async def run(self) -> None: ...


@asynccontextmanager
async def running(services: Iterable[Service]) -> AsyncIterator[None]:
    """All of them, for as long as the context lasts."""
    tasks = [asyncio.create_task(_keep_running(service), name=service.name) for service in services]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_running(service: Service) -> None:
    """One service's fault must stop neither it for good nor the others."""
    while True:
        try:
            await service.run()
        except Exception:
            with suppress(Exception):  # nor must telling of it: nobody supervises the supervisor
                log.exception("a service broke", service=service.name)
        await asyncio.sleep(PAUSE)
