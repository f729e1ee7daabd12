"""The one connection of this process that listens: for changed jobs, and for webhooks to be called."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from shared.database import endings
from shared.database.notifications import CHANNEL, parse_payload
from shared.database.pool import Database, check_writable
from shared.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.1  # seconds before trying again, doubled up to
LONGEST_PAUSE = 2.0
# What the driver raises on a connection outside the pool.
LOST = (DatabaseUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
CHECK_EVERY = 10.0  # seconds; a half-open connection is silent for ever otherwise


class Listener:
    """on_connected: nothing before this moment was heard. on_changed: these jobs have changed.

    on_due: there is a webhook to be called.
    """

    name = "listener"

    def __init__(
        self,
        database: Database,
        on_connected: Callable[[], None],
        on_changed: Callable[[Collection[UUID]], None],
        on_due: Callable[[], None],
    ) -> None:
        self._database = database
        self._on_connected = on_connected
        self._on_changed = on_changed
        self._on_due = on_due
        self._pause = FIRST_PAUSE

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except LOST as error:
                log.warning("cannot listen for changed jobs", error=str(error), again_in=self._pause)
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    async def _listen(self) -> None:
        """Returns when the connection is lost."""
        lost = asyncio.Event()
        connection = await self._database.listener()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._heard)
            await connection.add_listener(endings.CHANNEL, lambda *_: self._on_due())
            self._pause = FIRST_PAUSE
            self._on_connected()
            await self._stay(connection, lost)
        finally:
            connection.terminate()  # nothing is owed to the server, and it may not answer

    async def _stay(self, connection: Any, lost: asyncio.Event) -> None:
        while not lost.is_set():
            try:
                async with asyncio.timeout(CHECK_EVERY):
                    await lost.wait()
            except TimeoutError:
                await check_writable(connection, timeout=5.0)  # from any other there is nothing to be heard

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        try:
            changed = parse_payload(payload)
        except ValueError:
            log.exception("a notification that is not ours", payload=payload[:100])
            self._on_connected()
            return
        self._on_changed(changed)
