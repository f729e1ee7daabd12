"""The system, started exactly as `make run` does, on a folder and a port of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from deploy.local.system import LocalSystem
from tests.end_to_end.client import Client

Start = Callable[..., AbstractAsyncContextManager[tuple[LocalSystem, Client]]]

# Faults are noticed by leases: with shorter ones the same rules are waited for less.
SHORT_LEASE = {"LEASE_SECONDS": "4", "HEARTBEAT_SECONDS": "1"}


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Start:
    @asynccontextmanager
    async def started(**options: object) -> AsyncIterator[tuple[LocalSystem, Client]]:
        data = tmp_path_factory.mktemp("system")
        given = {"port": 0, "echo": True, "durable": False, "models": weights, **options}
        async with LocalSystem(data, **given) as system:  # type: ignore[arg-type]  # options are passed through
            client = Client(system.url)
            try:
                yield system, client
            finally:
                await client.http.aclose()

    return started


@pytest.fixture(scope="module")
async def system(start: Start) -> AsyncIterator[tuple[LocalSystem, Client]]:
    """One for the tests of a module that leave it as it was."""
    async with start() as running:
        yield running


@pytest.fixture(scope="module")
def client(system: tuple[LocalSystem, Client]) -> Client:
    return system[1]
