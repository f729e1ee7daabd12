"""Both clients, each called in the same way, so that each test is about both."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api_service.server import Server
from deploy.client import AsyncClient, Client

# The API of a test, with its database and a worker in the test's hands.
from tests.integration.api.conftest import blob_folder, db, one, settings, worker
from tests.integration.client.proxy import Proxy, proxy_to

__all__ = ["blob_folder", "db", "one", "settings", "worker"]


class Caller:
    """`await caller("get", …)`, and `await caller.items("list", …)`, of either client."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client
        client.policy = replace(client.policy, first=0.01, longest=0.1)

    async def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        method = getattr(self.client, name)
        if isinstance(self.client, AsyncClient):
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)

    async def items(self, name: str, *args: Any, **kwargs: Any) -> list[Any]:
        method = getattr(self.client, name)
        if isinstance(self.client, AsyncClient):
            return [item async for item in method(*args, **kwargs)]
        return await asyncio.to_thread(lambda: list(method(*args, **kwargs)))

    async def close(self) -> None:
        if isinstance(self.client, AsyncClient):
            await self.client.close()
        else:
            self.client.close()


def caller_of(kind: str, url: str, **options: Any) -> Caller:
    return Caller(Client(url, **options) if kind == "sync" else AsyncClient(url, **options))


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def caller(kind: str, one: Server) -> AsyncIterator[Caller]:
    caller = caller_of(kind, one.url, patience=10)
    yield caller
    await caller.close()


@pytest.fixture
async def proxy(one: Server) -> AsyncIterator[Proxy]:
    url = httpx.URL(one.url)
    assert url.port is not None
    async with proxy_to(url.host, url.port) as proxy:
        yield proxy


@pytest.fixture
async def flaky(kind: str, proxy: Proxy) -> AsyncIterator[Caller]:
    """Through the line that fails. What hangs is given up soon."""
    caller = caller_of(kind, proxy.url, patience=10, timeout=0.5)
    yield caller
    await caller.close()
