"""The real database, for a test that is not asynchronous itself, and its rows in the words of the model."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import asyncpg

from shared.database.pool import Database, Transaction

_Answer = TypeVar("_Answer")

_ROWS = """
    SELECT id, state, attempt, charged, publish_no, published_at IS NOT NULL AS published,
           coalesce(publish_leased_until > clock_timestamp(), false) AS leased, available_at <= clock_timestamp() AS due,
           worker, started_at IS NOT NULL AS started, alone, free_losses, queue_deadline < clock_timestamp() AS late,
           result, queue_deadline >= available_at + queue_ttl AS waits_whole_ttl
    FROM jobs ORDER BY id
"""
# What lies ahead stays ahead, however slow the test is: its times pass when the test says so.
_HOLD = """
    UPDATE jobs SET available_at = now() + interval '1 day',
        queue_deadline = CASE WHEN queue_deadline < now() THEN queue_deadline ELSE now() + interval '1 day' + queue_ttl END
    WHERE available_at > now() AND available_at < now() + interval '1 hour';
    UPDATE jobs SET publish_leased_until = now() + interval '1 day'
    WHERE publish_leased_until > now() AND publish_leased_until < now() + interval '1 hour'
"""


class Real:
    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self.db = self(Database.connect(url, size=2, patience=5))
        self._connection = self(asyncpg.connect(url))

    def __call__(self, asked: Coroutine[Any, Any, _Answer]) -> _Answer:
        return self._loop.run_until_complete(asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self(self._connection.close())
        self(self.db.close())
        self._loop.close()

    def clear(self) -> None:
        self.execute("DELETE FROM jobs; DELETE FROM workers")

    def execute(self, statements: str) -> None:
        self(self._connection.execute(statements))

    def tick(self, part: Callable[[Transaction], Awaitable[Iterable[UUID]]]) -> list[UUID]:
        """One of the reconciler's statements, in a transaction. -> the ids that it touched"""

        async def in_a_transaction() -> list[UUID]:
            async with self.db.transaction() as tx:
                return list(await part(tx))

        return self(in_a_transaction())

    def hold_times(self) -> None:
        self.execute(_HOLD)

    def deadline(self, job_id: UUID) -> datetime | None:
        """None: the job is gone."""
        found: datetime | None = self(
            self._connection.fetchval("SELECT queue_deadline FROM jobs WHERE id = $1", job_id)
        )
        return found

    def rows(self) -> dict[UUID, Any]:
        return {row["id"]: row for row in self(self._connection.fetch(_ROWS))}
