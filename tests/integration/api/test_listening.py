"""The listener of the API: it never stays where there is nothing to be heard."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api_service import listening as module
from api_service.listening import Listener
from shared.database.notifications import CHANNEL
from shared.database.pool import Database
from tests.contract.database.stage import Stage


class Ears:
    """A listener at work, and the connections that it has made."""

    def __init__(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connections: list[Any] = []
        self._listens = asyncio.Semaphore(0)
        connect = db.listener

        async def listener() -> Any:
            self.connections.append(await connect())
            return self.connections[-1]

        monkeypatch.setattr(db, "listener", listener)
        self.heard = asyncio.Event()
        self.listener = Listener(db, self._listens.release, lambda _: self.heard.set(), lambda: None)

    async def listens(self) -> Any:
        """-> the connection that it has made since it was last asked."""
        async with asyncio.timeout(10):
            await self._listens.acquire()
        return self.connections[-1]


@pytest.fixture
async def ears(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ears]:
    monkeypatch.setattr(module, "CHECK_EVERY", 0.01)
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    ears = Ears(stage.db, monkeypatch)
    listening = asyncio.create_task(ears.listener.run())
    yield ears
    listening.cancel()
    await asyncio.wait({listening})


async def test_it_leaves_a_server_that_can_only_be_read(ears: Ears, stage: Stage) -> None:
    """After a failover: nobody notifies there any more, and the line is as well as it was."""
    first = await ears.listens()
    await first.execute("SET default_transaction_read_only = on")
    assert await ears.listens() is not first
    assert first.is_closed()
    await stage.connection.execute("SELECT pg_notify($1, $2)", CHANNEL, str(await stage.queued()))
    async with asyncio.timeout(10):
        await ears.heard.wait()
