"""cancel_job, retry_job and delete_job: what a client may do to a job."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import pytest

from shared.database.claims import claim, start
from shared.database.entries import Ending
from shared.database.moves import Deleted, cancel_job, delete_job, retry_job
from shared.database.pool import Database
from shared.database.settlement import Settlement, settle
from shared.job import Job
from shared.states import FINISHED, RETRYABLE, JobState
from tests.contract.database.stage import OWNER, Stage, new_id


async def test_a_waiting_job_is_cancelled_at_once(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 8: no worker has it, so nothing has to stop."""
    job_id = await stage.published()
    job = await cancel_job(db, OWNER, job_id)
    assert job is not None
    assert (job.id, job.state, job.error, job.revision) == (job_id, JobState.CANCELLED, None, 2)
    assert job.finished_at is not None
    assert await claim(db, worker, "echo", 1, [job_id]) == []


async def test_a_running_job_is_asked_to_stop(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 8: cancelling lasts until the work has really stopped; its worker holds it until then."""
    held = await stage.running(worker)
    job = await cancel_job(db, OWNER, held[0])
    assert job is not None
    assert (job.state, job.attempt, job.finished_at) == (JobState.CANCELLING, held[1], None)
    assert (await stage.row(held[0]))["worker"] == worker


@pytest.mark.parametrize("state", [*sorted(FINISHED), JobState.CANCELLING])
async def test_cancelling_what_has_ended_or_is_ending_changes_nothing(
    state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    job = await cancel_job(db, OWNER, job_id)
    assert job is not None
    assert job.state == state
    assert await stage.row(job_id) == before


async def test_a_cancel_that_meets_a_claim_sees_what_the_claim_left(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 8: decided by the row as it is after the wait for its lock: running → cancelling, not cancelled."""
    job_id = await stage.published()
    async with stage.holding():
        await stage.connection.execute(
            "UPDATE jobs SET state = 'running', worker = $2, attempt = 1 WHERE id = $1", job_id, worker
        )
        waiting = asyncio.create_task(cancel_job(db, OWNER, job_id))
        await stage.until_waiting()
    job = await waiting
    assert job is not None
    assert job.state == JobState.CANCELLING


async def in_turn(stage: Stage, job_id: UUID, *moves: Coroutine[Any, Any, Any]) -> list[Any]:
    """All of them wait for the row, and get it in this order. -> their answers"""
    tasks: list[asyncio.Task[Any]] = []
    async with stage.holding():
        await stage.lock(job_id)
        for move in moves:
            tasks.append(asyncio.create_task(move))
            await stage.until_waiting(len(tasks))
    return [await task for task in tasks]


# What a running job's end makes of a cancel that comes just before it, and what the cancel finds that comes just after.
RACES = {
    Ending.SUCCEEDED: (JobState.SUCCEEDED, JobState.SUCCEEDED),
    Ending.FAILED: (JobState.CANCELLED, JobState.FAILED),
    Ending.RETRYABLE: (JobState.CANCELLED, JobState.CANCELLED),
    Ending.LOST: (JobState.CANCELLED, JobState.CANCELLED),
    Ending.HANDED_BACK: (JobState.CANCELLED, JobState.CANCELLED),
    Ending.CROWDED_OUT: (JobState.CANCELLED, JobState.CANCELLED),
}


@pytest.mark.parametrize("kind", RACES)
@pytest.mark.parametrize("cancel_first", [True, False])
async def test_a_cancel_and_an_end_that_meet_agree(
    kind: Ending, db: Database, stage: Stage, worker: UUID, *, cancel_first: bool
) -> None:
    """Rule 8: a finished result may win, never both; and what was told to be stopping never runs again."""
    held = await stage.running(worker)
    ending = settle(db, [Settlement(*held, kind, result='"r"' if kind is Ending.SUCCEEDED else None)])
    cancelling = cancel_job(db, OWNER, held[0])
    if cancel_first:
        answer, _ = await in_turn(stage, held[0], cancelling, ending)
        assert answer.state == JobState.CANCELLING
    else:
        _, answer = await in_turn(stage, held[0], ending, cancelling)
    row = await stage.row(held[0])
    assert row["state"] == RACES[kind][0 if cancel_first else 1]
    assert (row["result"] is not None) == (row["state"] == JobState.SUCCEEDED)
    assert cancel_first or answer.state == row["state"]
    assert [one["state"] for one in json.loads(row["trail"])][-1] == row["state"]
    assert [one["seq"] for one in json.loads(row["trail"])] == list(range(1, row["last_seq"] + 1))


async def test_two_cancels_at_once_are_one(db: Database, stage: Stage, worker: UUID) -> None:
    for job_id, state in (
        (await stage.published(), JobState.CANCELLED),
        ((await stage.running(worker))[0], JobState.CANCELLING),
    ):
        before = (await stage.row(job_id))["last_seq"]
        answers = await in_turn(stage, job_id, *(cancel_job(db, OWNER, job_id) for _ in range(2)))
        assert [job.state for job in answers] == [state, state]
        assert (await stage.row(job_id))["last_seq"] == before + 1


async def test_a_cancel_just_before_the_start_is_found_by_it(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 8: it is never sent to the child."""
    held = await stage.claimed(worker)
    _, started = await in_turn(stage, held[0], cancel_job(db, OWNER, held[0]), start(db, worker, [held]))
    assert (started.running, started.cancelling) == (frozenset(), {held[0]})


async def test_a_job_that_is_cancelled_while_its_dead_worker_s_jobs_are_taken_back_does_not_run_again(
    db: Database, stage: Stage, worker: UUID
) -> None:
    held = await stage.running(worker)
    await stage.dead(worker)
    _, taken = await in_turn(stage, held[0], cancel_job(db, OWNER, held[0]), stage.requeue_orphans())
    assert taken == {held[0]: JobState.CANCELLED}


@pytest.mark.parametrize("state", sorted(RETRYABLE))
async def test_a_retry_gives_a_new_budget_and_a_clean_slate(state: JobState, db: Database, stage: Stage) -> None:
    """Rules 1 and 10: charged, free losses and alone are reset, attempt is not."""
    job_id = await stage.ended(state)
    await stage.change(job_id, "charged = 3, free_losses = 3, alone = true, attempt = 5")
    answer = await retry_job(db, OWNER, job_id)
    assert answer is not None
    job, again = answer
    assert again
    assert (job.state, job.charged, job.attempt, job.error) == (JobState.QUEUED, 0, 5, None)
    row = await stage.row(job_id)
    assert (row["free_losses"], row["alone"], row["revision"]) == (0, False, 2)


@pytest.mark.parametrize("state", [state for state in JobState if state not in RETRYABLE])
async def test_only_what_ended_without_a_result_is_retried(
    state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 1: a succeeded job keeps its one result; a live one needs no retry."""
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    answer = await retry_job(db, OWNER, job_id)
    assert answer is not None
    assert (answer[0].state, answer[1]) == (state, False)
    assert await stage.row(job_id) == before


async def test_a_retried_job_still_shows_what_happened_before(db: Database, stage: Stage, worker: UUID) -> None:
    """The whole history of attempts stays with a poison job."""
    held = await stage.running(worker, max_attempts=1)
    await settle(db, [Settlement(*held, Ending.RETRYABLE, code=None, message="boom")])
    await retry_job(db, OWNER, held[0])
    again = await stage.run_again(worker, held[0])
    await settle(db, [Settlement(*again, Ending.RETRYABLE, message="boom again")])
    assert (await stage.row(held[0]))["history"].count('"message"') == 2


@pytest.mark.parametrize("state", list(JobState))
async def test_another_owner_s_job_is_not_there(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    """Every access is scoped by owner in the statement itself."""
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    assert await cancel_job(db, "somebody else", job_id) is None
    assert await retry_job(db, "somebody else", job_id) is None
    assert await delete_job(db, "somebody else", job_id) is None
    assert await stage.row(job_id) == before


async def test_a_job_that_is_not_there_is_nobody_s(db: Database) -> None:
    assert await cancel_job(db, OWNER, new_id()) is None
    assert await retry_job(db, OWNER, new_id()) is None
    assert await delete_job(db, OWNER, new_id()) is None


@pytest.mark.parametrize("state", sorted(FINISHED))
async def test_what_has_finished_can_be_deleted(state: JobState, db: Database, stage: Stage) -> None:
    job_id, other = await stage.ended(state), await stage.ended(state)
    assert await delete_job(db, OWNER, job_id) == Deleted(job_id, None)
    assert [row["id"] for row in await stage.rows()] == [other]


async def test_whoever_deletes_learns_of_the_blob_that_is_left(db: Database, stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker)
    blob = {"result_key": "a/1/b", "result_size": 5, "result_sha256": "ab"}
    await settle(db, [Settlement(*held, Ending.SUCCEEDED, **blob)])  # type: ignore[arg-type]  # of several types
    assert await delete_job(db, None, held[0]) == Deleted(held[0], "a/1/b")


@pytest.mark.parametrize("state", sorted(set(JobState) - FINISHED))
async def test_what_has_not_finished_cannot_be_deleted(
    state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    job = await delete_job(db, OWNER, job_id)
    assert isinstance(job, Job)
    assert job.state == state
    assert await stage.row(job_id) == before


async def test_a_deletion_that_meets_a_retry_finds_the_job_queued(db: Database, stage: Stage) -> None:
    """Decided by the row as it is after the wait for its lock."""
    job_id = await stage.ended(JobState.FAILED)
    async with stage.holding():
        await stage.lock(job_id)
        retrying = asyncio.create_task(retry_job(db, OWNER, job_id))
        await stage.until_waiting(1)
        deleting = asyncio.create_task(delete_job(db, OWNER, job_id))
        await stage.until_waiting(2)
    assert await retrying is not None
    assert isinstance(await deleting, Job)
    assert await stage.state(job_id) is JobState.QUEUED


async def test_what_comes_late_for_a_deleted_job_finds_zero_rows(db: Database, stage: Stage, worker: UUID) -> None:
    """Rules 1 and 5: its messages and settlements may still be on their way."""
    held = await stage.running(worker)
    await settle(db, [Settlement(*held, Ending.FAILED)])
    await delete_job(db, OWNER, held[0])
    assert await settle(db, [Settlement(*held, Ending.SUCCEEDED, result="1")]) == {}
    assert await claim(db, worker, "echo", 1, [held[0]]) == []
    assert await retry_job(db, OWNER, held[0]) is None
    assert await stage.rows() == []
