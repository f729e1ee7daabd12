"""claim, explain_unclaimed, put_back, start: the worker's statements before the model runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from shared.catalogue import ModelState, ServedModel
from shared.database.claims import (
    UNSERVED_DELAY_AT_MOST,
    Started,
    Unclaimed,
    claim,
    explain_unclaimed,
    put_back,
    start,
)
from shared.database.entries import LOSS_DELAY, Ending
from shared.database.leases import leave
from shared.database.moves import cancel_job
from shared.database.pool import Database
from shared.database.reconciliation import expire
from shared.database.settlement import Settlement, settle
from shared.states import JobState
from tests.contract.database.stage import OWNER, Stage, new_id

HERE = {("echo", 1)}
Harm = Callable[[Stage, UUID], Awaitable[None]]


async def _leaves(stage: Stage, worker: UUID) -> None:
    await leave(stage.db, worker)


async def _is_forgotten(stage: Stage, worker: UUID) -> None:
    await stage.connection.execute("DELETE FROM workers WHERE id = $1", worker)


NOT_ALIVE = pytest.mark.parametrize(
    "harm",
    [Stage.dead, Stage.lease_over, _leaves, _is_forgotten],
    ids=["declared dead", "lease over", "stopped", "unknown"],
)


# --- claim


async def test_a_claim_notes_the_worker_and_brings_the_input(db: Database, stage: Stage, worker: UUID) -> None:
    job_id = await stage.published(input='{"value":  1.50}', execution_timeout=0.5)
    published_at = (await stage.row(job_id))["published_at"]
    (claimed,) = await claim(db, worker, "echo", 1, [job_id])
    assert (claimed.id, claimed.attempt, claimed.input) == (job_id, 1, '{"value":  1.50}')
    assert (claimed.execution_timeout, claimed.alone, claimed.published_at) == (0.5, False, published_at)
    row = await stage.row(job_id)
    assert (row["state"], row["worker"], row["attempt"], row["revision"]) == (JobState.RUNNING, worker, 1, 2)


async def test_a_claim_needs_no_stamp(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 3: the message may arrive before its relay has stamped the row. Rule 11: it was published just now."""
    queued = await stage.queued()
    before = await stage.connection.fetchval("SELECT clock_timestamp()")
    (claimed,) = await claim(db, worker, "echo", 1, [queued])
    assert claimed.published_at is not None
    assert claimed.published_at >= before


async def test_nobody_knows_when_it_was_published_once_its_relay_is_gone(
    db: Database, stage: Stage, worker: UUID
) -> None:
    job_id = await stage.queued()
    await stage.change(job_id, "publish_leased_until = now() - interval '1 s'")
    (claimed,) = await claim(db, worker, "echo", 1, [job_id])
    assert claimed.published_at is None


async def test_a_claim_may_note_the_start(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 9: for a child that is idle, in one statement; the losses before the start are over, too."""
    job_id = await stage.published()
    await stage.change(job_id, "free_losses = 2, started_at = now() - interval '1 h'")
    before = await stage.connection.fetchval("SELECT clock_timestamp()")
    await claim(db, worker, "echo", 1, [job_id], starts=True)
    row = await stage.row(job_id)
    assert row["started_at"] >= before
    assert (row["state"], row["attempt"], row["free_losses"]) == ("running", 1, 0)


async def test_what_must_run_alone_is_not_started_with_its_claim(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 10: it may have to wait until the others are settled."""
    job_id = await stage.published()
    await stage.change(job_id, "alone = true, free_losses = 2")
    await claim(db, worker, "echo", 1, [job_id], starts=True)
    row = await stage.row(job_id)
    assert (row["started_at"], row["free_losses"]) == (None, 2)


async def test_attempt_rises_with_each_claim_and_is_never_set_back(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 1: across a hand-back, a charged end and a lost worker."""
    job_id, attempt = await stage.running(worker, max_attempts=9)
    seen = [attempt]
    for kind in (Ending.HANDED_BACK, Ending.RETRYABLE, Ending.LOST, Ending.LOST_UNSTARTED):
        await settle(db, [Settlement(job_id, attempt, kind)])
        _, attempt = await stage.claim(worker, job_id)
        seen.append(attempt)
    assert seen == [1, 2, 3, 4, 5]


async def test_a_claim_forgets_the_start_and_the_progress_of_an_earlier_attempt(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 9: a worker lost before this attempt's start must not look like one lost after it."""
    job_id = await stage.published()
    await stage.change(job_id, """started_at = now(), progress = '{"fraction": 1}'""")
    await claim(db, worker, "echo", 1, [job_id])
    row = await stage.row(job_id)
    assert (row["started_at"], row["progress"]) == (None, None)


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])
async def test_only_a_queued_job_is_claimed(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 1: a repeated message of a job that is held or has ended finds zero rows."""
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    assert await claim(db, await stage.worker(), "echo", 1, [job_id]) == []
    assert await stage.row(job_id) == before


async def test_a_job_that_is_not_due_is_not_claimed(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 5: the back-off stands in the row, whatever messages of it are about."""
    job_id = await stage.published()
    await stage.change(job_id, "available_at = now() + interval '1 s'")
    assert await claim(db, worker, "echo", 1, [job_id]) == []


@pytest.mark.parametrize(("model", "version"), [("other", 1), ("echo", 2)])
async def test_only_the_model_version_that_is_loaded_is_claimed(
    model: str, version: int, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 5: a shared queue brings jobs of models that this worker does not serve."""
    job_id = await stage.published(model=model, version=version)
    assert await claim(db, worker, "echo", 1, [job_id]) == []
    assert await stage.state(job_id) == JobState.QUEUED


@NOT_ALIVE
async def test_only_an_incarnation_in_good_standing_claims(
    harm: Harm, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 6: it must be alive with a lease that is not over; late is not enough."""
    job_id = await stage.published()
    await harm(stage, worker)
    assert await claim(db, worker, "echo", 1, [job_id]) == []
    assert await stage.state(job_id) == JobState.QUEUED


async def test_what_cannot_be_claimed_does_not_keep_the_rest_from_it(db: Database, stage: Stage, worker: UUID) -> None:
    good, other, gone = await stage.published(), await stage.published(model="other"), new_id()
    claimed = await claim(db, worker, "echo", 1, [gone, other, good])
    assert [one.id for one in claimed] == [good]


async def test_a_message_delivered_three_times_at_once_is_claimed_once(db: Database, stage: Stage) -> None:
    """Rule 1: the row decides, not the broker."""
    for _ in range(10):
        job_id = await stage.published()
        workers = [await stage.worker() for _ in range(3)]
        claims = await asyncio.gather(*(claim(db, worker, "echo", 1, [job_id]) for worker in workers))
        assert sorted(len(one) for one in claims) == [0, 0, 1]
        assert (await stage.row(job_id))["attempt"] == 1


async def test_a_claim_waits_for_a_row_that_another_statement_has_locked(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 4: no SKIP LOCKED: the message would be acked though its job still waits."""
    job_id = await stage.published()
    async with stage.holding():
        await stage.lock(job_id)
        waiting = asyncio.create_task(claim(db, worker, "echo", 1, [job_id]))
        await stage.until_waiting()
    assert [one.id for one in await waiting] == [job_id]


async def test_a_claim_that_waited_looks_at_the_row_again(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 1: what the statement saw before its wait for the lock no longer counts."""
    job_id = await stage.published()
    async with stage.holding():
        await stage.change(job_id, "state = 'cancelled', finished_at = now()")
        waiting = asyncio.create_task(claim(db, worker, "echo", 1, [job_id]))
        await stage.until_waiting()
    assert await waiting == []
    assert await stage.state(job_id) == JobState.CANCELLED


# --- explain_unclaimed


async def test_a_job_of_a_model_not_served_is_told_apart(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 5: this one is put back by its row."""
    other, newer = await stage.published(model="other"), await stage.published(version=2)
    assert await explain_unclaimed(db, worker, HERE, [other, newer]) == {
        other: Unclaimed.NOT_SERVED,
        newer: Unclaimed.NOT_SERVED,
    }


async def test_a_job_that_became_claimable_is_to_be_claimed_again(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 5: claimable after all, so its message must not be acked."""
    job_id = await stage.published()
    assert await explain_unclaimed(db, worker, HERE, [job_id]) == {job_id: Unclaimed.CLAIMABLE}


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])
async def test_a_job_held_or_finished_is_its_row_s_business(
    state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 5: not claimable because of the row: the message is acked."""
    job_id = await stage.in_state(state, worker)
    assert await explain_unclaimed(db, worker, HERE, [job_id]) == {job_id: Unclaimed.ROW}


async def test_a_job_that_is_gone_is_nobody_s_business(db: Database, stage: Stage, worker: UUID) -> None:
    gone = new_id()
    assert await explain_unclaimed(db, worker, HERE, [gone]) == {gone: Unclaimed.ROW}


async def test_a_job_that_is_not_due_is_told_apart(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 5: published when it was due, by a clock that was set back: this one is put back. Also of other models."""
    ids = [await stage.published(), await stage.published(model="other")]
    for job_id in ids:
        await stage.change(job_id, "available_at = now() + interval '9 s'")
    assert await explain_unclaimed(db, worker, HERE, ids) == dict.fromkeys(ids, Unclaimed.NOT_DUE)


@NOT_ALIVE
async def test_an_incarnation_that_is_not_alive_keeps_its_messages(
    harm: Harm, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 5: zero rows because of the incarnation say nothing of the rows, whatever those are."""
    ids = [await stage.published(), await stage.ended(JobState.SUCCEEDED), await stage.published(model="other")]
    await harm(stage, worker)
    assert await explain_unclaimed(db, worker, HERE, ids) == dict.fromkeys(ids, Unclaimed.WORKER_NOT_ALIVE)


# --- put_back


async def test_a_job_put_back_is_free_of_charge_and_due_in_two_seconds(db: Database, stage: Stage) -> None:
    """Rule 5: uncharged, due in 2 s, a new entry into queued (its columns: test_entering_queued)."""
    job_id = await stage.published(model="other")
    assert await put_back(db, [(job_id, 1)]) == [job_id]
    row = await stage.row(job_id)
    assert (row["charged"], row["attempt"], row["free_losses"], row["publish_no"]) == (0, 0, 0, 2)
    assert LOSS_DELAY - 1 < await stage.until(job_id, "available_at") <= LOSS_DELAY


async def put_back_after(stage: Stage, seconds: float, **changes: Any) -> float:
    """Of a job that has waited so long. -> in how many seconds it is due again"""
    job_id = await stage.published(**changes)
    await stage.change(job_id, f"queue_deadline = queue_deadline - interval '{seconds} s'")
    await put_back(stage.db, [(job_id, 1)])
    return await stage.until(job_id, "available_at")


@pytest.mark.parametrize(("waited", "delay"), [(0.5, LOSS_DELAY), (20, 20), (3000, UNSERVED_DELAY_AT_MOST)])
async def test_what_nobody_serves_is_put_back_for_as_long_as_it_has_waited(
    waited: float, delay: float, stage: Stage, worker: UUID
) -> None:
    """Rule 5: a backlog that nobody serves must not turn every two seconds for ever."""
    assert delay - 1 < await put_back_after(stage, waited, version=2) <= delay + 1


@pytest.mark.parametrize("state", [ModelState.READY, ModelState.LOADING])
async def test_what_another_worker_serves_is_due_in_two_seconds_however_long_it_has_waited(
    state: ModelState, stage: Stage, worker: UUID
) -> None:
    await stage.serves(worker, ServedModel("echo", 1, ModelState.READY), ServedModel("echo", 2, state))
    assert await put_back_after(stage, 3000, version=2) <= LOSS_DELAY


@pytest.mark.parametrize("harm", [Stage.dead, Stage.lease_over], ids=["declared dead", "lease over"])
async def test_only_who_lives_serves(harm: Harm, stage: Stage, worker: UUID) -> None:
    await stage.serves(worker, ServedModel("echo", 2, ModelState.READY))
    await harm(stage, worker)
    assert await put_back_after(stage, 3000, version=2) > LOSS_DELAY


@pytest.mark.parametrize(
    "other",
    [
        ServedModel("echo", 1, ModelState.READY),
        ServedModel("another", 2, ModelState.READY),
        ServedModel("echo", 2, ModelState.FAILED),
    ],
    ids=["another version", "another model", "failed to load"],
)
async def test_only_its_model_and_version_serve_a_job(other: ServedModel, stage: Stage, worker: UUID) -> None:
    await stage.serves(worker, other)
    assert await put_back_after(stage, 3000, version=2) > LOSS_DELAY


async def test_a_job_that_nobody_serves_expires_however_often_it_is_put_back(stage: Stage) -> None:
    """It waits on: its deadline is that of its entry into `queued`."""
    job_id = await stage.published(version=2, queue_ttl=60.0)
    for publish_no in range(1, 6):
        assert await put_back(stage.db, [(job_id, publish_no)])
        await stage.change(job_id, "available_at = now(), queue_deadline = queue_deadline - interval '15 s'")
    async with stage.db.transaction() as tx:
        assert await expire(tx) == [job_id]


async def test_an_old_message_puts_nothing_back(db: Database, stage: Stage) -> None:
    """Rule 5: `publish_no` = the message's, or a repeated message would delay a job again and again."""
    job_id = await stage.published(model="other")
    await put_back(db, [(job_id, 1)])
    before = await stage.row(job_id)
    assert await put_back(db, [(job_id, 1)]) == []
    assert await stage.row(job_id) == before


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])
async def test_only_a_queued_job_is_put_back(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 5: `state = 'queued'`: a late message must not take a job from the worker that runs it."""
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    assert await put_back(db, [(job_id, before["publish_no"])]) == []
    assert await stage.row(job_id) == before


# --- start


async def test_the_start_is_recorded_before_the_child_gets_the_batch(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 9: `started_at` by the database's clock, once for each job of the batch."""
    first, second = await stage.claimed(worker), await stage.claimed(worker)
    started = await start(db, worker, [first, second])
    assert started == Started(frozenset({first[0], second[0]}), frozenset(), worker_alive=True)
    for job_id, _ in (first, second):
        assert -1.0 < await stage.until(job_id, "started_at") <= 0.0
        assert (await stage.row(job_id))["revision"] == 3


async def test_a_job_found_cancelled_at_its_start_does_not_start(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 8: it is settled as cancelled and never sent to the child."""
    run, stopped = await stage.claimed(worker), await stage.claimed(worker)
    await cancel_job(db, OWNER, stopped[0])
    started = await start(db, worker, [run, stopped])
    assert started == Started(frozenset({run[0]}), frozenset({stopped[0]}), worker_alive=True)
    row = await stage.row(stopped[0])
    assert (row["state"], row["started_at"]) == (JobState.CANCELLING, None)


async def test_an_attempt_that_the_row_no_longer_knows_does_not_start(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 9: zero rows → not sent. Requeued and claimed by another; queued; finished."""
    taken, queued, done = [await stage.claimed(worker) for _ in range(3)]
    await settle(db, [Settlement(*held, Ending.HANDED_BACK) for held in (taken, queued)])
    await stage.claim(await stage.worker(), taken[0])
    await settle(db, [Settlement(*done, Ending.SUCCEEDED, result="1")])
    before = await stage.rows()
    started = await start(db, worker, [taken, queued, done])
    assert started == Started(frozenset(), frozenset(), worker_alive=True)
    assert await stage.rows() == before


@NOT_ALIVE
async def test_only_an_incarnation_in_good_standing_starts(
    harm: Harm, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 6: nothing is begun by a worker whose jobs may be given away any moment; the answer says so."""
    held = await stage.claimed(worker)
    await harm(stage, worker)
    started = await start(db, worker, [held])
    assert started == Started(frozenset(), frozenset(), worker_alive=False)
    assert (await stage.row(held[0]))["started_at"] is None
