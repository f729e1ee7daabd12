"""The reconciler's statements: one tick at a time, the dead and what they held, the late, the forgotten."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from shared.database.entries import FREE_LOSSES, Ending
from shared.database.leases import QueueReport, heartbeat
from shared.database.moves import retry_job
from shared.database.outbox import lease_unpublished, stamp_published
from shared.database.pool import Database, Transaction
from shared.database.reading import get_job
from shared.database.reconciliation import (
    ROWS_PER_TICK,
    declare_dead,
    expire,
    forget_workers,
    republish,
    requeue_orphans,
    try_lock,
)
from shared.database.settlement import Settlement, settle
from shared.states import ErrorCode, JobState
from tests.contract.database.stage import OWNER, Stage


async def tick_expire(db: Database) -> list[UUID]:
    async with db.transaction() as tx:
        return await expire(tx)


async def tick_republish(db: Database) -> list[UUID]:
    async with db.transaction() as tx:
        return await republish(tx)


async def tick_declare_dead(db: Database) -> list[UUID]:
    async with db.transaction() as tx:
        return await declare_dead(tx)


PARTS: dict[str, tuple[str, Callable[[Transaction], Awaitable[Any]]]] = {
    "requeue_orphans": ("state = 'running', worker = gen_random_uuid(), attempt = 1", requeue_orphans),
    "expire": ("queue_deadline = now() - interval '1 s'", expire),
    "republish": ("published_at = now() - interval '1 hour'", republish),
}


@pytest.mark.parametrize("part", PARTS)
async def test_a_row_that_changed_while_a_tick_waited_for_it_is_left_alone(
    part: str, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rules 1 and 4: what it found without a lock may have ended, or been claimed, when it has the lock."""
    state, run = PARTS[part]
    job_id = await stage.queued()
    await stage.change(job_id, state)
    await report(db, worker, idle=True)

    async def tick() -> Any:
        async with db.transaction() as tx:
            return await run(tx)

    async with stage.holding():
        await stage.change(job_id, "state = 'succeeded', worker = NULL, finished_at = now(), result = '1'")
        waiting = asyncio.create_task(tick())
        await stage.until_waiting()
        before = await stage.row(job_id)
    assert not await waiting
    assert await stage.row(job_id) == before


# --- rule 12: one tick at a time


async def test_two_ticks_never_run_at_once(db: Database) -> None:
    """Rule 12: the advisory lock excludes a second one, and goes with its transaction."""
    async with db.transaction() as first:
        assert (await try_lock(first)).mine
        async with db.transaction() as second:
            assert not (await try_lock(second)).mine
    async with db.transaction() as third:
        assert (await try_lock(third)).mine


async def test_a_tick_that_fails_lets_the_next_one_in(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 12: no standing leader; and what it had changed did not happen."""
    await stage.lease_over(worker)

    async def half_a_tick(tx: Transaction) -> None:
        assert (await try_lock(tx)).mine
        assert await declare_dead(tx) == [worker]
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        async with db.transaction() as tx:
            await half_a_tick(tx)
    async with db.transaction() as tx:
        assert (await try_lock(tx)).mine
        assert await declare_dead(tx) == [worker]


# --- rule 6: the dead


async def test_an_incarnation_whose_lease_is_over_is_declared_dead_once(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 6: only those, and each once."""
    late = await stage.worker()
    await stage.lease_over(late)
    assert await tick_declare_dead(db) == [late]
    assert await tick_declare_dead(db) == []
    states = dict(await stage.connection.fetch("SELECT id, state FROM workers"))
    assert states == {late: "dead", worker: "alive"}


async def test_a_job_held_by_a_live_worker_is_left_alone(stage: Stage, worker: UUID) -> None:
    """Rule 6: also while its lease is over, as long as nobody has declared it dead (rule 7)."""
    held = await stage.running(worker)
    await stage.lease_over(worker)
    assert await stage.requeue_orphans() == {}
    assert await stage.state(held[0]) == JobState.RUNNING


@pytest.mark.parametrize("state", ["dead", "stopped", None])
async def test_every_job_whose_worker_is_not_alive_is_requeued(state: str | None, stage: Stage, worker: UUID) -> None:
    """Rule 6: at each tick, whoever declared it dead and whenever; also where the worker's row is long gone."""
    held = await stage.running(worker)
    if state:
        await stage.change_worker(worker, f"state = '{state}'")
    else:
        await stage.connection.execute("DELETE FROM workers")
    assert await stage.requeue_orphans() == {held[0]: JobState.QUEUED}
    assert await stage.requeue_orphans() == {}


async def test_a_job_claimed_just_as_its_worker_died_is_found_by_the_next_tick(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 6: the tick that declared the worker dead saw no such job; a later one does (it is level-triggered)."""
    await stage.lease_over(worker)
    await tick_declare_dead(db)
    assert await stage.requeue_orphans() == {}
    job_id = await stage.published()
    await stage.change(job_id, f"state = 'running', worker = '{worker}', attempt = 1")
    assert await stage.requeue_orphans() == {job_id: JobState.QUEUED}


async def test_a_cancelling_job_of_a_dead_worker_is_cancelled(stage: Stage, worker: UUID) -> None:
    """Rules 6 and 8: dead worker → cancelled, never queued."""
    held = await stage.cancelling(worker)
    await stage.dead(worker)
    assert await stage.requeue_orphans() == {held[0]: JobState.CANCELLED}
    row = await stage.row(held[0])
    assert (row["worker"], row["error"], row["charged"]) == (None, None, 0)


async def test_a_lost_worker_charges_nobody_who_ran_in_a_batch(stage: Stage, worker: UUID) -> None:
    """Rule 10: all go back marked alone."""
    batch = [await stage.running(worker, max_attempts=1) for _ in range(3)]
    await stage.dead(worker)
    assert await stage.requeue_orphans() == {job_id: JobState.QUEUED for job_id, _ in batch}
    for job_id, _ in batch:
        row = await stage.row(job_id)
        assert (row["charged"], row["alone"]) == (0, True)


async def test_a_lost_worker_charges_the_job_that_ran_alone_on_purpose(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 10: with worker_lost, once its budget is used up; the history tells every attempt."""
    job_id, _ = await stage.running(worker, max_attempts=1)
    await stage.dead(worker)
    await stage.requeue_orphans()
    another = await stage.worker()
    await stage.run_again(another, job_id)
    await stage.dead(another)
    assert await stage.requeue_orphans() == {job_id: JobState.FAILED}
    job = await get_job(db, OWNER, job_id)
    assert job is not None
    assert job.error is not None
    assert (job.error.code, job.error.retryable, job.charged) == (ErrorCode.WORKER_LOST, True, 1)
    assert [(entry.attempt, entry.worker) for entry in job.error.attempts] == [(1, str(worker)), (2, str(another))]


async def test_a_worker_lost_before_the_start_is_free_but_not_for_ever(stage: Stage) -> None:
    """Rule 9: three times in a row, then it is charged; and it is not marked alone by it."""
    job_id = await stage.published(max_attempts=1)
    for free in range(1, FREE_LOSSES + 1):
        worker = await stage.worker()
        await stage.claim(worker, job_id)
        await stage.dead(worker)
        assert await stage.requeue_orphans() == {job_id: JobState.QUEUED}
        row = await stage.row(job_id)
        assert (row["charged"], row["free_losses"], row["alone"]) == (0, free, False)
        assert await stage.until(job_id, "available_at") > 1.0
    worker = await stage.worker()
    await stage.claim(worker, job_id)
    await stage.dead(worker)
    assert await stage.requeue_orphans() == {job_id: JobState.FAILED}


async def test_the_late_settlement_of_a_thawed_worker_finds_nothing(db: Database, stage: Stage, worker: UUID) -> None:
    """Rules 1 and 6: frozen past its lease, its job given to another: the new attempt's result stands."""
    job_id, attempt = await stage.running(worker)
    await stage.dead(worker)
    await stage.requeue_orphans()
    again = await stage.run_again(await stage.worker(), job_id)
    assert await settle(db, [Settlement(job_id, attempt, Ending.SUCCEEDED, result='"old"')]) == {}
    await settle(db, [Settlement(*again, Ending.SUCCEEDED, result='"new"')])
    assert await settle(db, [Settlement(job_id, attempt, Ending.SUCCEEDED, result='"old"')]) == {}
    assert (await stage.row(job_id))["result"] == '"new"'


async def test_one_tick_requeues_a_thousand_at_most(stage: Stage, worker: UUID) -> None:
    """Rule 12: a tick's transaction stays short; the rest is found by the next (level-triggered)."""
    await stage.jobs(ROWS_PER_TICK + 5)
    await stage.connection.execute("UPDATE jobs SET state = 'running', worker = $1, attempt = 1", worker)
    await stage.dead(worker)
    assert len(await stage.requeue_orphans()) == ROWS_PER_TICK
    assert len(await stage.requeue_orphans()) == 5


async def test_long_ended_incarnations_are_forgotten(db: Database, stage: Stage, worker: UUID) -> None:
    recent, stopped, old_but_alive = [await stage.worker() for _ in range(3)]
    await stage.dead(worker)
    await stage.dead(recent)
    await stage.change_worker(stopped, "state = 'stopped'")
    for one in (worker, stopped, old_but_alive):
        await stage.change_worker(one, "heartbeat_at = now() - interval '25 hours'")
    async with db.transaction() as tx:
        await forget_workers(tx)
    left = {row["id"] for row in await stage.connection.fetch("SELECT id FROM workers")}
    assert left == {recent, old_but_alive}


# --- the late


async def test_a_job_that_waited_too_long_expires_and_says_why(db: Database, stage: Stage) -> None:
    """Past its queue_deadline and still queued: expired, with an error that can be retried."""
    job_id, early = await stage.published(), await stage.published()
    await stage.change(job_id, "queue_deadline = now() - interval '1 s'")
    assert await tick_expire(db) == [job_id]
    job = await get_job(db, OWNER, job_id)
    assert job is not None
    assert job.error is not None
    assert (job.state, job.error.code, job.error.retryable) == (JobState.EXPIRED, ErrorCode.QUEUE_EXPIRED, True)
    assert job.finished_at is not None
    assert job.revision == 2
    assert await stage.state(early) == JobState.QUEUED
    assert await tick_expire(db) == []


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])
async def test_only_waiting_jobs_expire(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    """A deadline passed while it ran, or after it ended, means nothing."""
    job_id = await stage.in_state(state, worker)
    await stage.change(job_id, "queue_deadline = now() - interval '1 s'")
    assert await tick_expire(db) == []
    assert await stage.state(job_id) == state


async def test_a_retried_job_waits_a_whole_queue_ttl_again(db: Database, stage: Stage) -> None:
    """Rule 2: entering queued sets a new deadline."""
    job_id = await stage.published()
    await stage.change(job_id, "queue_deadline = now() - interval '1 s'")
    await tick_expire(db)
    await retry_job(db, OWNER, job_id)
    assert await tick_expire(db) == []


async def test_one_tick_expires_a_thousand_at_most_the_latest_first(db: Database, stage: Stage) -> None:
    await stage.jobs(ROWS_PER_TICK)
    await stage.connection.execute("UPDATE jobs SET queue_deadline = now() - interval '1 s'")
    latest = await stage.queued()
    await stage.change(latest, "queue_deadline = now() - interval '1 min'")
    assert len(first := await tick_expire(db)) == ROWS_PER_TICK
    assert latest in first
    assert len(await tick_expire(db)) == 1


# --- rule 11: the forgotten


async def report(db: Database, worker: UUID, *, idle: bool, newest_claimed: datetime | None = None) -> None:
    queues = [QueueReport("other", idle=False, newest_claimed=None), QueueReport("echo", idle, newest_claimed)]
    await heartbeat(db, worker, device="cpu", lease=30, models=[], queues=queues)


async def published_ago(stage: Stage, seconds: float, **changes: object) -> UUID:
    job_id = await stage.published(**changes)
    await stage.change(job_id, f"published_at = now() - interval '{seconds} s'")
    return job_id


async def test_rows_beside_an_idle_worker_are_published_again(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 11: free room and empty pulls while published rows wait: the broker forgot them."""
    job_id = await published_ago(stage, 31)
    await report(db, worker, idle=True)
    assert await tick_republish(db) == [job_id]
    row = await stage.row(job_id)
    assert (row["published_at"], row["publish_leased_until"], row["publish_no"], row["republished"]) == (
        None,
        None,
        2,
        1,
    )
    assert [one.id for one in await lease_unpublished(db, 10)] == [job_id]


async def test_a_late_stamp_does_not_mark_what_rule_11_cleared(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 2: whoever clears published_at raises publish_no."""
    job_id = await published_ago(stage, 31)
    await report(db, worker, idle=True)
    await tick_republish(db)
    assert await stamp_published(db, [(job_id, 1)]) == 0


async def test_a_deep_healthy_backlog_is_never_published_twice(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 11: hours of waiting prove nothing while the workers are busy and the queue moves in order."""
    await published_ago(stage, 9 * 3600)
    await report(db, worker, idle=False, newest_claimed=(await stage.rows())[0]["published_at"])
    assert await tick_republish(db) == []


async def test_a_young_row_is_left_to_its_message(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 11: the first repetition after no less than 30 s, however idle the workers."""
    await published_ago(stage, 29)
    await report(db, worker, idle=True)
    assert await tick_republish(db) == []


async def test_an_idle_worker_of_another_queue_says_nothing(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 11: of *that* queue."""
    await published_ago(stage, 3600, queue="elsewhere")
    await report(db, worker, idle=True)
    assert await tick_republish(db) == []


@pytest.mark.parametrize("state", ["dead", "stopped"])
async def test_a_dead_worker_s_idleness_says_nothing(state: str, db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 11: a *live* worker: the last words of a dead one would repeat a healthy backlog."""
    await published_ago(stage, 3600)
    await report(db, worker, idle=True)
    await stage.change_worker(worker, f"state = '{state}'")
    assert await tick_republish(db) == []


async def test_a_row_overtaken_by_ten_minutes_is_published_again(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 11: rows of its queue published ten minutes later have been claimed, though no worker is idle."""
    forgotten = await published_ago(stage, 700)
    waiting = await published_ago(stage, 600)
    (now,) = await stage.connection.fetchrow("SELECT now() - interval '50 s'")
    await report(db, worker, idle=False, newest_claimed=now)
    assert await tick_republish(db) == [forgotten]
    assert (await stage.row(waiting))["publish_no"] == 1


async def test_the_interval_doubles_up_to_an_hour(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 11: 30 s, 1 min, 2 min … so that a broker that is slow is not drowned."""
    job_id = await stage.published()
    await report(db, worker, idle=True)
    for times, interval in [(0, 30), (1, 60), (2, 120), (6, 1920), (7, 3600), (30, 3600), (10_000, 3600)]:
        await stage.change(job_id, f"republished = {times}, published_at = now() - interval '{interval - 2} s'")
        assert await tick_republish(db) == [], times
        await stage.change(job_id, f"published_at = now() - interval '{interval + 2} s'")
        assert await tick_republish(db) == [job_id], times
        assert (await stage.row(job_id))["republished"] == times + 1


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])
async def test_only_waiting_rows_are_published_again(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    job_id = await stage.in_state(state, worker)
    await stage.change(job_id, "published_at = now() - interval '1 hour'")
    await report(db, worker, idle=True)
    assert await tick_republish(db) == []
    assert await stage.state(job_id) == state


async def test_what_was_never_published_is_the_sweep_s_business(db: Database, stage: Stage, worker: UUID) -> None:
    await stage.queued()
    await report(db, worker, idle=True)
    assert await tick_republish(db) == []


async def test_the_oldest_thousand_are_published_again(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 11: the oldest 1,000 per tick."""
    await stage.jobs(ROWS_PER_TICK + 1)
    await stage.connection.execute("UPDATE jobs SET published_at = now() - interval '2 min'")
    youngest = (await stage.rows())[0]["id"]
    await stage.change(youngest, "published_at = now() - interval '1 min'")
    await report(db, worker, idle=True)
    again = await tick_republish(db)
    assert len(again) == ROWS_PER_TICK == 1000
    assert youngest not in again


async def test_a_worker_that_has_reported_nothing_yet_is_no_obstacle(db: Database, stage: Stage, worker: UUID) -> None:
    await published_ago(stage, 3600)
    assert json.loads(await stage.connection.fetchval("SELECT queues FROM workers")) == []
    assert await tick_republish(db) == []
