"""The parts of a system on one machine: how each is run, and when it is ready."""

import asyncio
import signal
import sys
from collections.abc import Mapping

from deploy.local import postgres as postgres_server
from deploy.local.broker import LocalBroker
from deploy.local.postgres import Postgres
from deploy.local.probe import api_ready, worker_alive
from deploy.local.supervisor import Component
from deploy.local.tether import tethered

Environment = Mapping[str, str]

POSTGRES = "postgres"
BROKER = "broker"
API = "api"

HANDING_BACK = 25.0  # seconds that a worker may take for all but its running jobs when it is stopped


def python(*arguments: str) -> list[str]:
    """A Python module of ours, in this same interpreter."""
    return tethered([sys.executable, "-m", *arguments])


def postgres(server: Postgres) -> Component:
    async def prepare() -> None:
        await asyncio.to_thread(server.prepare)

    async def ready(_pid: int) -> bool:
        return server.ready()

    return Component(
        name=POSTGRES,
        command=server.command(),
        environment=postgres_server.environment(),
        ready=ready,
        prepare=prepare,
        stop_signal=signal.SIGINT,
        quiet=True,
    )


def broker(server: LocalBroker, environment: Environment) -> Component:
    async def ready(_pid: int) -> bool:
        return await asyncio.to_thread(server.ready)

    return Component(name=BROKER, command=server.command(), environment=environment, ready=ready, quiet=True)


def api_name(number: int) -> str:
    """The first is just `api`."""
    return API if number == 1 else f"{API}-{number}"


def worker_name(number: int) -> str:
    return f"worker-{number}"


def api(name: str, port: int, environment: Environment) -> Component:
    async def ready(_pid: int) -> bool:
        return await api_ready(port)

    own = {**environment, "API_PORT": str(port)}
    return Component(name=name, command=python("api_service"), environment=own, ready=ready, grace=15.0)


def worker(name: str, drain_grace: float, environment: Environment) -> Component:
    async def ready(pid: int) -> bool:
        return await worker_alive(environment["DATABASE_URL"], pid)

    return Component(
        name=name,
        command=python("ml_service", "run"),
        environment=environment,
        ready=ready,
        grace=drain_grace + HANDING_BACK,
    )
