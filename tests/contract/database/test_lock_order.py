"""Rule 4: statements over several rows lock them in the order of their ids, so that no two of them can deadlock.

Seen from outside: while somebody holds the row with the lowest id, a statement that waits for it has locked no other row.
The rows lie in the table, and are given to the statement, the other way round, so that no plan has the right order by chance.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from shared.database.claims import claim, put_back, start
from shared.database.entries import Ending
from shared.database.leases import QueueReport, heartbeat
from shared.database.outbox import forget_dead_letters, forget_queue, release_unpublished, stamp_published
from shared.database.pool import Database, Transaction
from shared.database.reconciliation import expire, republish, requeue_orphans
from shared.database.retention import purge_results, purge_rows
from shared.database.settlement import Settlement, settle
from shared.database.submission import insert_jobs
from shared.job import Progress
from shared.states import JobState
from tests.contract.database.stage import Stage, new_job
from tests.contract.database.telling import write_progress

Statement = Callable[[Database, UUID, Sequence[UUID]], Awaitable[Any]]
# Where all the rows are when the statement begins.
QUEUED = "published_at = NULL"
HELD = "state = 'running', attempt = 1, worker = '{worker}'"


def at_attempt_1(ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
    return [(job_id, 1) for job_id in ids]


def in_a_tick(part: Callable[[Transaction], Awaitable[Any]]) -> Statement:
    async def run(db: Database, worker: UUID, ids: Sequence[UUID]) -> Any:
        async with db.transaction() as tx:
            return await part(tx)

    return run


STATEMENTS: dict[str, tuple[str, Statement]] = {
    "claim": (QUEUED, lambda db, worker, ids: claim(db, worker, "echo", 1, ids)),
    "put_back": (QUEUED, lambda db, worker, ids: put_back(db, at_attempt_1(ids))),
    "start": (HELD, lambda db, worker, ids: start(db, worker, at_attempt_1(ids))),
    "settle": (HELD, lambda db, worker, ids: settle(db, [Settlement(*one, Ending.LOST) for one in at_attempt_1(ids)])),
    "write_progress": (HELD, lambda db, worker, ids: write_progress(db, [(one, 1, Progress(0.5)) for one in ids])),
    "stamp_published": (QUEUED, lambda db, worker, ids: stamp_published(db, at_attempt_1(ids))),
    "release_unpublished": (QUEUED, lambda db, worker, ids: release_unpublished(db, at_attempt_1(ids))),
    "forget_dead_letters": (QUEUED, lambda db, worker, ids: forget_dead_letters(db, at_attempt_1(ids))),
    "forget_queue": (QUEUED, lambda db, worker, ids: forget_queue(db, "echo")),
    "requeue_orphans": (HELD + ", started_at = now()", in_a_tick(requeue_orphans)),
    "expire": ("queue_deadline = now() - interval '1 s'", in_a_tick(expire)),
    "purge_results": (
        "state = 'succeeded', result = '1', finished_at = now(), purge_at = now() - interval '1 s'",
        in_a_tick(purge_results),
    ),
    "purge_rows": (
        "state = 'cancelled', finished_at = now(), purge_at = now() - interval '1 s'",
        in_a_tick(purge_rows),
    ),
    "republish": ("published_at = now() - interval '1 hour'", in_a_tick(republish)),
}


async def backwards(stage: Stage, state: str, worker: UUID, count: int) -> list[UUID]:
    """Jobs whose rows lie in the table with the highest id first. -> ids, highest first"""
    new = [new_job() for _ in range(count)]
    ids = [job.id for job in await insert_jobs(stage.db, new[::-1])]
    await stage.connection.execute(f"UPDATE jobs SET {state.format(worker=worker)}")
    return ids


async def is_free(stage: Stage, url: str, job_id: UUID) -> bool:
    other = await asyncpg.connect(url)
    try:
        await other.execute("SELECT FROM jobs WHERE id = $1 FOR UPDATE NOWAIT", job_id)
    except asyncpg.LockNotAvailableError:
        return False
    finally:
        await other.close()
    return True


@pytest.mark.parametrize("name", STATEMENTS)
async def test_rows_are_locked_in_the_order_of_their_ids(
    name: str, db: Database, stage: Stage, worker: UUID, shared_url: str
) -> None:
    """Rule 4: waiting for the lowest id, it holds none of the higher ones."""
    state, statement = STATEMENTS[name]
    ids = await backwards(stage, state, worker, 5)
    if name == "requeue_orphans":
        await stage.dead(worker)
    report = [QueueReport("echo", idle=True, newest_claimed=None)]
    await heartbeat(db, worker, device="cpu", lease=30, models=[], queues=report)
    async with stage.holding():
        await stage.lock(ids[-1])
        waiting = asyncio.ensure_future(statement(db, worker, ids))
        await stage.until_waiting()
        free = [await is_free(stage, shared_url, job_id) for job_id in ids[:-1]]
    assert await waiting
    assert all(free)


async def test_settlements_and_claims_of_the_same_rows_in_opposite_orders_never_deadlock(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 4: seen from inside: not one statement had to be repeated."""
    ids = await backwards(stage, HELD, worker, 200)
    ends = [[Settlement(job_id, 1, Ending.HANDED_BACK) for job_id in order] for order in (ids, ids[::-1])]
    with capture_logs() as logs:
        for _ in range(10):
            first, second = await asyncio.gather(*(settle(db, one) for one in ends))
            assert sorted([len(first), len(second)]) == [0, 200]
            taken = await asyncio.gather(*(claim(db, worker, "echo", 1, order) for order in (ids, ids[::-1])))
            assert sorted(len(one) for one in taken) == [0, 200]
            await stage.connection.execute("UPDATE jobs SET attempt = 1")
    assert logs == []
    assert {row["state"] for row in await stage.rows()} == {JobState.RUNNING}
