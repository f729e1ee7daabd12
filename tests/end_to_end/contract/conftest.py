"""One system for all of these: real parts, `echo` for what has to last or fail, `digits` for files."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from deploy.local.system import LocalSystem
from tests.end_to_end.client import Client
from tests.end_to_end.conftest import Start
from tests.end_to_end.contract.asking import echo

Hold = Callable[[], Awaitable[dict[str, Any]]]
HOLD = 3600.0  # seconds


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


@pytest.fixture
async def hold(http: httpx.AsyncClient) -> AsyncIterator[Hold]:
    """Submits a job that runs until it is cancelled, by the end of the test at the latest: others wait behind it."""
    held: list[dict[str, Any]] = []

    async def submit() -> dict[str, Any]:
        held.append((await http.post("/v1/jobs", json=echo(seconds=HOLD))).json())
        return held[-1]

    yield submit
    for job in held:
        await http.post(job["urls"]["cancel"])
        await http.get(job["urls"]["self"], params={"wait": 30})
