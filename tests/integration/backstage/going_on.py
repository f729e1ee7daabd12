"""A service in the background, ended with the test; an error of its own fails the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api_service.background import Service


@asynccontextmanager
async def going_on(*services: Service) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(service.run(), name=service.name) for service in services]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome
