"""What listeners hear: every visible change after submission, in the same commit, in payloads that fit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from shared.database.claims import claim, put_back, start
from shared.database.entries import Ending
from shared.database.moves import cancel_job, retry_job
from shared.database.notifications import CHANNEL, IDS_PER_NOTIFICATION, parse_payload
from shared.database.outbox import forget_queue, lease_unpublished, release_unpublished, stamp_published
from shared.database.pool import Database, Transaction
from shared.database.reconciliation import expire, requeue_orphans
from shared.database.settlement import Settlement, settle
from shared.job import Progress
from shared.states import JobState
from tests.contract.database.stage import OWNER, Stage
from tests.contract.database.telling import write_progress

Heard = asyncio.Queue[list[UUID]]


@pytest.fixture
async def heard(db: Database) -> AsyncIterator[Heard]:
    """The ids of each payload, in the order they came."""
    queue: Heard = asyncio.Queue()
    listener = await db.listener()
    await listener.add_listener(CHANNEL, lambda *event: queue.put_nowait(parse_payload(event[-1])))
    yield queue
    await listener.close()


async def nothing_more(stage: Stage, heard: Heard) -> bool:
    """A mark of our own comes next, so nothing was sent before it: notifications come in the order of their commits."""
    mark = UUID(int=0)
    await stage.connection.execute("SELECT pg_notify($1, $2)", CHANNEL, str(mark))
    return await asyncio.wait_for(heard.get(), 5) == [mark]


async def forget_the_setup(stage: Stage, heard: Heard) -> None:
    """Drops what the way to the test's beginning had to tell."""
    mark = UUID(int=1)
    await stage.connection.execute("SELECT pg_notify($1, $2)", CHANNEL, str(mark))
    while await asyncio.wait_for(heard.get(), 5) != [mark]:
        pass


Change = Callable[[Stage, UUID, UUID], Awaitable[Any]]


async def _expire(stage: Stage, worker: UUID, job_id: UUID) -> None:
    await stage.change(job_id, "queue_deadline = now() - interval '1 s'")
    async with stage.db.transaction() as tx:
        await expire(tx)


async def _lose_the_worker(stage: Stage, worker: UUID, job_id: UUID) -> None:
    await stage.dead(worker)
    await stage.requeue_orphans()


CHANGES: dict[str, tuple[JobState, Change]] = {
    "claim": (JobState.QUEUED, lambda stage, worker, job_id: claim(stage.db, worker, "echo", 1, [job_id])),
    "start": (JobState.RUNNING, lambda stage, worker, job_id: start(stage.db, worker, [(job_id, 1)])),
    "progress": (
        JobState.RUNNING,
        lambda stage, worker, job_id: write_progress(stage.db, [(job_id, 1, Progress(0.5))]),
    ),
    "settle": (
        JobState.RUNNING,
        lambda stage, worker, job_id: settle(stage.db, [Settlement(job_id, 1, Ending.SUCCEEDED, result="1")]),
    ),
    "put back": (JobState.QUEUED, lambda stage, worker, job_id: put_back(stage.db, [(job_id, 1)])),
    "cancel": (JobState.QUEUED, lambda stage, worker, job_id: cancel_job(stage.db, OWNER, job_id)),
    "retry": (JobState.FAILED, lambda stage, worker, job_id: retry_job(stage.db, OWNER, job_id)),
    "expire": (JobState.QUEUED, _expire),
    "requeue": (JobState.RUNNING, _lose_the_worker),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_every_visible_change_is_told(name: str, stage: Stage, worker: UUID, heard: Heard) -> None:
    """One notification for each change of the revision."""
    state, change = CHANGES[name]
    job_id = await stage.in_state(state, worker)
    await forget_the_setup(stage, heard)
    before = (await stage.row(job_id))["revision"]
    await change(stage, worker, job_id)
    assert await asyncio.wait_for(heard.get(), 5) == [job_id]
    assert (await stage.row(job_id))["revision"] == before + 1
    assert await nothing_more(stage, heard)


async def test_what_nobody_can_see_is_not_told(db: Database, stage: Stage, heard: Heard) -> None:
    """Submission, and the relay's business, are never sent."""
    job_id = await stage.queued()
    await stage.change(job_id, "publish_leased_until = NULL")
    await lease_unpublished(db, 10)
    await release_unpublished(db, [(job_id, 1)])
    await stamp_published(db, [(job_id, 1)])
    await forget_queue(db, "echo")
    assert await nothing_more(stage, heard)


async def test_a_statement_without_rows_tells_nothing(db: Database, stage: Stage, worker: UUID, heard: Heard) -> None:
    """Rule 1: zero rows of a stale settlement wake nobody."""
    job_id = await stage.published()
    await settle(db, [Settlement(job_id, 1, Ending.SUCCEEDED, result="1")])
    await stage.requeue_orphans()
    assert await nothing_more(stage, heard)


async def test_a_change_that_was_rolled_back_is_not_told(
    db: Database, stage: Stage, worker: UUID, heard: Heard
) -> None:
    """The notification belongs to the commit."""
    job_id = await stage.queued()
    await stage.change(job_id, f"state = 'running', attempt = 1, worker = '{UUID(int=7)}'")

    async def fail_half_way(tx: Transaction) -> None:
        assert list(await requeue_orphans(tx)) == [job_id]
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        async with db.transaction() as tx:
            await fail_half_way(tx)
    assert await nothing_more(stage, heard)
    assert await stage.state(job_id) == JobState.RUNNING


async def test_a_batch_is_told_in_one_payload(db: Database, stage: Stage, worker: UUID, heard: Heard) -> None:
    held = [await stage.running(worker) for _ in range(3)]
    await forget_the_setup(stage, heard)
    await settle(db, [Settlement(*one, Ending.SUCCEEDED, result="1") for one in held])
    assert sorted(await asyncio.wait_for(heard.get(), 5)) == sorted(job_id for job_id, _ in held)
    assert await nothing_more(stage, heard)


async def test_a_requeue_of_five_hundred_is_told_in_payloads_that_fit(stage: Stage, worker: UUID, heard: Heard) -> None:
    """A payload of 8,000 bytes is an error that would roll the whole requeue back: at most 200 ids each."""
    ids = {job.id for job in await stage.jobs(500)}
    await stage.connection.execute("UPDATE jobs SET state = 'running', attempt = 1, worker = $1", worker)
    await stage.dead(worker)
    assert len(await stage.requeue_orphans()) == 500
    payloads = [await asyncio.wait_for(heard.get(), 5) for _ in range(3)]
    assert sorted(len(payload) for payload in payloads) == [100, 200, 200]
    assert IDS_PER_NOTIFICATION == 200
    assert set().union(*payloads) == ids


async def test_a_claim_of_more_than_a_payload_holds_is_told(
    db: Database, stage: Stage, worker: UUID, heard: Heard
) -> None:
    ids = [job.id for job in await stage.jobs(201)]
    await claim(db, worker, "echo", 1, ids)
    payloads = [await asyncio.wait_for(heard.get(), 5) for _ in range(2)]
    assert sorted(len(payload) for payload in payloads) == [1, 200]
