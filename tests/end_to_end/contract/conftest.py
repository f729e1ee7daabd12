"""One system for all of these: real parts, `echo` for what has to last or fail, `digits` for files."""

from collections.abc import AsyncIterator

import httpx
import pytest

from deploy.local.system import LocalSystem
from tests.end_to_end.client import Client
from tests.end_to_end.conftest import Start


@pytest.fixture(scope="session")
async def contract(start: Start) -> AsyncIterator[tuple[LocalSystem, Client]]:
    async with start(env={"MODELS": "echo,digits"}) as running:
        yield running


@pytest.fixture
def client(contract: tuple[LocalSystem, Client]) -> Client:
    return contract[1]


@pytest.fixture
def http(client: Client) -> httpx.AsyncClient:
    return client.http
