"""Giving up on behalf of a client."""

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from api_service.disconnect import unless_gone


class Client:
    """Stays until it leaves."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.request = Request({"type": "http", "headers": []}, self._receive)

    async def _receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}


async def test_work_that_is_done_is_answered() -> None:
    async def work() -> int:
        return 7

    assert await unless_gone(Client().request, work()) == 7


async def test_what_goes_wrong_with_the_work_is_told() -> None:
    async def work() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await unless_gone(Client().request, work())


async def test_work_for_a_client_that_has_left_is_stopped() -> None:
    client, started, stopped = Client(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    answering = asyncio.create_task(unless_gone(client.request, work()))
    await started.wait()
    client.leaves.set()

    with pytest.raises(ClientDisconnect):
        await answering
    assert stopped.is_set()
