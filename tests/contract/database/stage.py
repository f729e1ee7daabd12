"""Brings jobs and workers to where a test begins, shows rows as they stand, and moves their times instead of waiting."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

import uuid_utils.compat

from shared.catalogue import ServedModel
from shared.database.claims import claim, start
from shared.database.leases import heartbeat, register_worker
from shared.database.moves import cancel_job
from shared.database.outbox import stamp_published
from shared.database.pool import Database
from shared.database.reconciliation import requeue_orphans
from shared.database.submission import insert_jobs
from shared.job import Job, NewJob
from shared.states import JobState, Task

OWNER = "local"
# What is found of a job's row, or (job id, attempt), or (job id, publish_no).
Numbered = tuple[UUID, int]

_WAITING_FOR_A_LOCK = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def new_id() -> UUID:
    return uuid_utils.compat.uuid7()


def new_job(**changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "id": new_id(),
        "owner": OWNER,
        "task": Task.INFERENCE,
        "model": "echo",
        "version": 1,
        "queue": "echo",
        "input": '{"value": 1}',
        "metadata": None,
        "queue_ttl": 3600.0,
        "execution_timeout": 60.0,
        "max_attempts": 3,
    }
    return NewJob(**(values | changes))


class Stage:
    def __init__(self, db: Database, connection: Any) -> None:
        """connection: asyncpg's, outside the pool."""
        self.db = db
        self.connection = connection

    async def clear(self) -> None:
        await self.connection.execute(
            "DELETE FROM jobs; DELETE FROM workers; DELETE FROM models; DELETE FROM dead_letters; DELETE FROM uploads"
        )

    # -- workers

    async def worker(self, *, lease: float = 30.0) -> UUID:
        """A new incarnation, alive."""
        worker = new_id()
        await register_worker(self.db, worker, name="test", device="cpu", lease=lease)
        return worker

    async def change_worker(self, worker: UUID, assignments: str) -> None:
        await self.connection.execute(f"UPDATE workers SET {assignments} WHERE id = $1", worker)

    async def serves(self, worker: UUID, *models: ServedModel) -> None:
        await heartbeat(self.db, worker, device="cpu", lease=30.0, models=models, queues=[])

    async def lease_over(self, worker: UUID) -> None:
        await self.change_worker(worker, "lease_until = now() - interval '1 s'")

    async def dead(self, worker: UUID) -> None:
        """Declared dead, its jobs not looked at yet."""
        await self.change_worker(worker, "state = 'dead', lease_until = now() - interval '1 s'")

    # -- jobs, each one step further than the one above

    async def jobs(self, count: int = 1, **changes: Any) -> list[Job]:
        return await insert_jobs(self.db, [new_job(**changes) for _ in range(count)])

    async def queued(self, **changes: Any) -> UUID:
        return (await self.jobs(**changes))[0].id

    async def published(self, **changes: Any) -> UUID:
        job_id = await self.queued(**changes)
        await stamp_published(self.db, [(job_id, 1)])
        return job_id

    async def claimed(self, worker: UUID, **changes: Any) -> Numbered:
        """-> (id, attempt)"""
        return await self.claim(worker, await self.published(**changes))

    async def running(self, worker: UUID, **changes: Any) -> Numbered:
        """Claimed and started. -> (id, attempt)"""
        held = await self.claimed(worker, **changes)
        await start(self.db, worker, [held])
        return held

    async def cancelling(self, worker: UUID, **changes: Any) -> Numbered:
        held = await self.running(worker, **changes)
        await cancel_job(self.db, changes.get("owner", OWNER), held[0])
        return held

    async def claim(self, worker: UUID, job_id: UUID) -> Numbered:
        """Claims it, however long its back-off still lasts. -> (id, attempt)"""
        await self.change(job_id, "available_at = least(available_at, now())")
        (mine,) = await claim(self.db, worker, (await self.row(job_id))["model"], 1, [job_id])
        return mine.id, mine.attempt

    async def run_again(self, worker: UUID, job_id: UUID) -> Numbered:
        held = await self.claim(worker, job_id)
        await start(self.db, worker, [held])
        return held

    async def ended(self, state: JobState, **changes: Any) -> UUID:
        """A job in one of the finished states, as its statement would leave it after one attempt."""
        job_id = await self.published(**changes)
        error = """'{"code": "model_error", "message": "no", "retryable": false}'"""
        given = error if state in {JobState.FAILED, JobState.EXPIRED} else "NULL"
        await self.change(job_id, f"state = '{state}', finished_at = now(), attempt = 1, error = {given}")
        return job_id

    async def in_state(self, state: JobState, worker: UUID, **changes: Any) -> UUID:
        """A job in any state; where it is held, by `worker`."""
        match state:
            case JobState.QUEUED:
                return await self.published(**changes)
            case JobState.RUNNING:
                return (await self.running(worker, **changes))[0]
            case JobState.CANCELLING:
                return (await self.cancelling(worker, **changes))[0]
            case _:
                return await self.ended(state, **changes)

    # -- what stands in the rows

    async def change(self, job_id: UUID, assignments: str) -> None:
        await self.connection.execute(f"UPDATE jobs SET {assignments} WHERE id = $1", job_id)

    async def row(self, job_id: UUID) -> Any:
        """All columns. JSON as text, times as datetime, intervals as timedelta."""
        return await self.connection.fetchrow("SELECT * FROM jobs WHERE id = $1", job_id)

    async def rows(self) -> list[Any]:
        rows: list[Any] = await self.connection.fetch("SELECT * FROM jobs ORDER BY id")
        return rows

    async def state(self, job_id: UUID) -> JobState:
        return JobState((await self.row(job_id))["state"])

    async def until(self, job_id: UUID, time: str) -> float:
        """Seconds from the database's now to what stands in the column `time`."""
        return float(
            await self.connection.fetchval(
                f"SELECT extract(epoch FROM {time} - clock_timestamp()) FROM jobs WHERE id = $1", job_id
            )
        )

    # -- the reconciler, and waiting

    async def requeue_orphans(self) -> dict[UUID, JobState]:
        async with self.db.transaction() as tx:
            return await requeue_orphans(tx)

    def holding(self) -> AbstractAsyncContextManager[Any]:
        """A transaction of the test's own connection, to hold locks in."""
        transaction: AbstractAsyncContextManager[Any] = self.connection.transaction()
        return transaction

    async def lock(self, job_id: UUID) -> None:
        """Within `holding`."""
        await self.connection.execute("SELECT FROM jobs WHERE id = $1 FOR UPDATE", job_id)

    async def until_waiting(self, statements: int = 1) -> None:
        """Returns when so many statements wait for a lock."""

        async def enough() -> bool:
            await self.connection.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees the same again
            return int(await self.connection.fetchval(_WAITING_FOR_A_LOCK)) >= statements

        await until(enough)


async def until(condition: Callable[[], Awaitable[bool]], limit: float = 5.0) -> None:
    """Looks again until it holds; TimeoutError after `limit` seconds."""
    async with asyncio.timeout(limit):
        while not await condition():
            await asyncio.sleep(0)
