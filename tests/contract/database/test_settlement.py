"""settle: what becomes of an attempt's job, and that nobody but this attempt may say so."""

import json
from uuid import UUID

import pytest

from shared.database import settlement as settlement_module
from shared.database.entries import FREE_LOSSES, LOSS_DELAY, Ending
from shared.database.moves import retry_job
from shared.database.pool import Database
from shared.database.reading import get_job
from shared.database.settlement import Settlement, in_parts, settle
from shared.job import Job
from shared.states import ErrorCode, JobState
from tests.contract.database.stage import OWNER, Stage

RESULT = '{"answer": 42}'


def ending(job_id: UUID, attempt: int, kind: Ending) -> Settlement:
    """The end of an attempt, with all that its kind comes with."""
    if kind is Ending.SUCCEEDED:
        return Settlement(job_id, attempt, kind, result=RESULT)
    if kind in {Ending.HANDED_BACK, Ending.STOPPED}:
        return Settlement(job_id, attempt, kind)
    return Settlement(job_id, attempt, kind, code=ErrorCode.MODEL_ERROR, message="it broke", retryable=True)


async def the_job(db: Database, job_id: UUID) -> Job:
    job = await get_job(db, OWNER, job_id)
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (Ending.SUCCEEDED, JobState.SUCCEEDED),
        (Ending.FAILED, JobState.FAILED),
        (Ending.RETRYABLE, JobState.QUEUED),
        (Ending.LOST, JobState.QUEUED),
        (Ending.LOST_UNSTARTED, JobState.QUEUED),
        (Ending.CROWDED_OUT, JobState.QUEUED),
        (Ending.HANDED_BACK, JobState.QUEUED),
    ],
)
async def test_what_a_running_job_becomes(
    kind: Ending, state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rules 8 to 10, for a job with budget left."""
    held = await stage.running(worker)
    assert await settle(db, [ending(*held, kind)]) == {held[0]: state}
    assert await stage.state(held[0]) == state


@pytest.mark.parametrize("kind", list(Ending))
async def test_a_cancelling_job_never_runs_again_and_only_a_result_beats_the_cancel(
    kind: Ending, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 8: from cancelling, a finished result → succeeded; anything else → cancelled, uncharged, without an error."""
    held = await stage.cancelling(worker, max_attempts=1)
    await stage.change(held[0], "alone = true, free_losses = 9")
    expected = JobState.SUCCEEDED if kind is Ending.SUCCEEDED else JobState.CANCELLED
    assert await settle(db, [ending(*held, kind)]) == {held[0]: expected}
    job = await the_job(db, held[0])
    assert (job.state, job.charged, job.error) == (expected, 0, None)
    assert job.result == (RESULT if kind is Ending.SUCCEEDED else None)
    assert job.finished_at is not None


# --- rule 1: the fence


@pytest.mark.parametrize("kind", list(Ending))
async def test_an_older_attempt_changes_nothing(kind: Ending, db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 1: the row is held by a newer attempt, so zero rows."""
    job_id, first = await stage.running(worker)
    await settle(db, [ending(job_id, first, Ending.HANDED_BACK)])
    await stage.run_again(worker, job_id)
    before = await stage.row(job_id)
    assert await settle(db, [ending(job_id, first, kind)]) == {}
    assert await stage.row(job_id) == before


@pytest.mark.parametrize("state", [state for state in JobState if state not in {"running", "cancelling"}])
async def test_a_job_that_is_not_held_is_not_settled(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 1: the attempt alone is not enough, the state must be running or cancelling."""
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    assert await settle(db, [ending(job_id, before["attempt"], Ending.SUCCEEDED)]) == {}
    assert await stage.row(job_id) == before


async def test_an_attempt_from_before_a_retry_changes_nothing(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 1: `retry` does not start the count anew, so an old worker's number never fits again."""
    job_id, first = await stage.running(worker)
    await settle(db, [ending(job_id, first, Ending.FAILED)])
    await retry_job(db, OWNER, job_id)
    again = await stage.run_again(worker, job_id)
    assert again == (job_id, first + 1)
    assert await settle(db, [ending(job_id, first, Ending.SUCCEEDED)]) == {}
    assert await stage.state(job_id) == JobState.RUNNING


async def test_a_settlement_repeated_because_its_answer_was_lost_changes_nothing(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 1: a job has one result however often its worker reports it."""
    held = await stage.running(worker)
    await settle(db, [ending(*held, Ending.SUCCEEDED)])
    before = await stage.row(held[0])
    other = Settlement(*held, Ending.SUCCEEDED, result='"another"')
    assert await settle(db, [other]) == {}
    assert await stage.row(held[0]) == before


async def test_a_worker_declared_dead_may_still_settle_until_the_fence_refuses_it(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 7: the work is done and nobody has taken it over, so it counts."""
    held = await stage.running(worker)
    await stage.dead(worker)
    assert await settle(db, [ending(*held, Ending.SUCCEEDED)]) == {held[0]: JobState.SUCCEEDED}


# --- rule 10: a batch is settled one by one, in one statement


async def test_a_batch_has_individual_outcomes(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 10: one statement, and the one that is no longer held does not harm the others."""
    good, bad, gone, back = [await stage.running(worker) for _ in range(4)]
    settlements = [
        ending(*good, Ending.SUCCEEDED),
        ending(*bad, Ending.FAILED),
        ending(gone[0], gone[1] - 1, Ending.SUCCEEDED),
        ending(*back, Ending.HANDED_BACK),
    ]
    assert await settle(db, settlements) == {
        good[0]: JobState.SUCCEEDED,
        bad[0]: JobState.FAILED,
        back[0]: JobState.QUEUED,
    }
    assert (await stage.row(good[0]))["result"] == RESULT
    assert (await stage.row(bad[0]))["result"] is None
    assert (await stage.row(gone[0]))["state"] == JobState.RUNNING


async def test_each_outcome_keeps_to_its_own_job(db: Database, stage: Stage, worker: UUID) -> None:
    """The arrays of one statement are rows: a result never lands beside its input's neighbour."""
    held = [await stage.running(worker) for _ in range(5)]
    await settle(db, [Settlement(*one, Ending.SUCCEEDED, result=f'"{one[0]}"') for one in reversed(held)])
    for job_id, _ in held:
        assert (await stage.row(job_id))["result"] == f'"{job_id}"'


async def test_a_success_ends_the_job_with_its_result(db: Database, stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker)
    started = (await stage.row(held[0]))["started_at"]
    await settle(db, [ending(*held, Ending.SUCCEEDED)])
    row = await stage.row(held[0])
    assert (row["result"], row["error"], row["worker"], row["history"]) == (RESULT, None, None, "[]")
    assert row["finished_at"] >= row["started_at"] == started


async def test_a_failure_says_what_happened_and_to_whom(db: Database, stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker)
    settlement = Settlement(
        *held, Ending.FAILED, code=ErrorCode.INVALID_INPUT, message="no such label", retryable=False
    )
    await settle(db, [settlement])
    job = await the_job(db, held[0])
    assert job.error is not None
    assert (job.error.code, job.error.message, job.error.retryable) == (ErrorCode.INVALID_INPUT, "no such label", False)
    (attempt,) = job.error.attempts
    assert (attempt.attempt, attempt.worker, attempt.code) == (1, str(worker), "invalid_input")
    assert attempt.started_at is not None
    assert attempt.ended_at > attempt.started_at


async def test_revision_rises_with_every_settlement(db: Database, stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker)
    before = (await stage.row(held[0]))["revision"]
    await settle(db, [ending(*held, Ending.SUCCEEDED)])
    assert (await stage.row(held[0]))["revision"] == before + 1


# --- rules 1, 9 and 10: the budget


async def test_a_retryable_end_is_charged_and_backs_off_twice_as_long_each_time(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 1: the budget is `charged`; the back-off stands in the row (2 s, 4 s, 8 s …, times 0.5 to 1.5)."""
    job_id, attempt = await stage.running(worker, max_attempts=9)
    for charged in range(1, 5):
        await settle(db, [ending(job_id, attempt, Ending.RETRYABLE)])
        assert (await stage.row(job_id))["charged"] == charged
        delay = await stage.until(job_id, "available_at")
        assert 0.5 * 2**charged - 1 < delay <= 1.5 * 2**charged
        job_id, attempt = await stage.run_again(worker, job_id)
    assert attempt == 5


async def test_the_back_off_has_an_end(db: Database, stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker, max_attempts=1000)
    await stage.change(held[0], "charged = 900")
    await settle(db, [ending(*held, Ending.RETRYABLE)])
    assert 290 < await stage.until(held[0], "available_at") <= 900


async def test_a_job_fails_for_good_when_its_budget_is_used_up(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 1: `max_attempts` limits `charged`; the history shows every attempt."""
    job_id, attempt = await stage.running(worker, max_attempts=2)
    await settle(db, [ending(job_id, attempt, Ending.RETRYABLE)])
    job_id, attempt = await stage.run_again(worker, job_id)
    assert await settle(db, [ending(job_id, attempt, Ending.RETRYABLE)]) == {job_id: JobState.FAILED}
    job = await the_job(db, job_id)
    assert (job.charged, job.attempt) == (2, 2)
    assert job.error is not None
    assert [entry.attempt for entry in job.error.attempts] == [1, 2]
    assert job.error.retryable


async def test_handing_back_costs_nothing_and_leaves_no_trace(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 13: what a worker gives back at its end is nobody's fault."""
    held = await stage.running(worker, max_attempts=1)
    assert await settle(db, [ending(*held, Ending.HANDED_BACK)]) == {held[0]: JobState.QUEUED}
    row = await stage.row(held[0])
    assert (row["charged"], row["history"], row["alone"], row["free_losses"]) == (0, "[]", False, 0)


@pytest.mark.parametrize("kind", [Ending.LOST, Ending.CROWDED_OUT])
async def test_a_job_lost_with_others_is_not_charged_and_runs_alone_the_next_time(
    kind: Ending, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 10: a lost worker and a batch that timed out charge nobody; who did it shows when each runs alone."""
    held = await stage.running(worker, max_attempts=1)
    assert await settle(db, [ending(*held, kind)]) == {held[0]: JobState.QUEUED}
    row = await stage.row(held[0])
    assert (row["charged"], row["alone"], row["attempt"]) == (0, True, 1)


async def test_a_job_lost_while_it_ran_alone_is_charged(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 10: only an attempt that ran alone on purpose pays for a lost worker."""
    job_id, attempt = await stage.running(worker, max_attempts=2)
    await settle(db, [ending(job_id, attempt, Ending.LOST)])
    job_id, attempt = await stage.run_again(worker, job_id)
    assert await settle(db, [ending(job_id, attempt, Ending.LOST)]) == {job_id: JobState.QUEUED}
    assert (await stage.row(job_id))["charged"] == 1
    assert await stage.until(job_id, "available_at") > 0.5
    job_id, attempt = await stage.run_again(worker, job_id)
    assert await settle(db, [ending(job_id, attempt, Ending.LOST)]) == {job_id: JobState.FAILED}


@pytest.mark.parametrize("kind", [Ending.RETRYABLE, Ending.HANDED_BACK, Ending.LOST_UNSTARTED, Ending.CROWDED_OUT])
async def test_once_alone_a_job_stays_alone(kind: Ending, db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 10: the mark is kept until a retry."""
    held = await stage.running(worker)
    await stage.change(held[0], "alone = true")
    await settle(db, [ending(*held, kind)])
    assert (await stage.row(held[0]))["alone"]


async def test_a_batch_that_times_out_again_and_again_never_charges(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 10: being crowded out is never a job's own doing, not even when it is marked alone."""
    held = await stage.running(worker, max_attempts=1)
    await stage.change(held[0], "alone = true")
    assert await settle(db, [ending(*held, Ending.CROWDED_OUT)]) == {held[0]: JobState.QUEUED}
    assert (await stage.row(held[0]))["charged"] == 0


async def test_losses_before_the_start_are_free_three_times_in_a_row(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 9: the fourth is charged, with the back-off of a charge instead of the short delay."""
    job_id, attempt = await stage.claimed(worker, max_attempts=2)
    for free in range(1, FREE_LOSSES + 1):
        await settle(db, [ending(job_id, attempt, Ending.LOST_UNSTARTED)])
        row = await stage.row(job_id)
        assert (row["charged"], row["free_losses"], row["alone"]) == (0, free, False)
        assert LOSS_DELAY - 1 < await stage.until(job_id, "available_at") <= LOSS_DELAY
        job_id, attempt = await stage.claim(worker, job_id)
    assert await settle(db, [ending(job_id, attempt, Ending.LOST_UNSTARTED)]) == {job_id: JobState.QUEUED}
    assert (await stage.row(job_id))["charged"] == 1
    job_id, attempt = await stage.claim(worker, job_id)
    assert await settle(db, [ending(job_id, attempt, Ending.LOST_UNSTARTED)]) == {job_id: JobState.FAILED}


async def test_a_start_ends_the_row_of_free_losses(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 9: `three times in a row` means without a start between them."""
    job_id, attempt = await stage.claimed(worker)
    await stage.change(job_id, f"free_losses = {FREE_LOSSES}")
    await settle(db, [ending(job_id, attempt, Ending.HANDED_BACK)])
    job_id, attempt = await stage.run_again(worker, job_id)
    await settle(db, [ending(job_id, attempt, Ending.LOST_UNSTARTED)])
    row = await stage.row(job_id)
    assert (row["charged"], row["free_losses"]) == (0, 1)


# --- borders


async def test_more_than_one_statement_holds_is_settled_too(db: Database, stage: Stage, worker: UUID) -> None:
    jobs = await stage.jobs(450)
    await stage.connection.execute("UPDATE jobs SET state = 'running', worker = $1, attempt = 1", worker)
    settled = await settle(db, [ending(job.id, 1, Ending.SUCCEEDED) for job in jobs])
    assert settled == {job.id: JobState.SUCCEEDED for job in jobs}


async def test_large_results_are_settled_a_few_at_a_time(
    db: Database, stage: Stage, worker: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a batch's in one statement could take longer than a statement may, again and again."""
    monkeypatch.setattr(settlement_module, "MOST_AT_ONCE", 10)
    sizes = [4, 6, 1, 12, 9, 0]
    held = [await stage.running(worker) for _ in sizes]
    endings = [
        Settlement(*one, Ending.SUCCEEDED, result="1" * size) if size else ending(*one, Ending.FAILED)
        for one, size in zip(held, sizes, strict=True)
    ]
    assert [[len(one.result or "") for one in part] for part in in_parts(endings)] == [[4, 6], [1], [12], [9, 0]]
    assert (await settle(db, endings)).keys() == {job_id for job_id, _ in held}


async def test_what_a_model_says_cannot_keep_its_batch_from_being_settled(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 10: text that Postgres cannot hold (NUL, half a surrogate pair) is a bad message, not a stuck batch."""
    bad, good = await stage.running(worker), await stage.running(worker)
    said = "before\0after \ud800"
    settlements = [
        Settlement(*bad, Ending.FAILED, code=ErrorCode.MODEL_ERROR, message=said),
        ending(*good, Ending.SUCCEEDED),
    ]
    assert await settle(db, settlements) == {bad[0]: JobState.FAILED, good[0]: JobState.SUCCEEDED}
    job = await the_job(db, bad[0])
    assert job.error is not None
    assert job.error.message == "before\ufffdafter \ufffd"


async def test_the_history_keeps_what_the_row_said_when_the_attempt_ended(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """An attempt that never reached the model has no start in the history."""
    held = await stage.claimed(worker)
    await settle(db, [ending(*held, Ending.LOST_UNSTARTED)])
    (entry,) = json.loads((await stage.row(held[0]))["history"])
    assert (entry["attempt"], entry["worker"], entry["started_at"]) == (1, str(worker), None)
    assert (entry["code"], entry["message"]) == ("model_error", "it broke")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Ending.FAILED, ErrorCode.MODEL_ERROR),
        (Ending.RETRYABLE, ErrorCode.MODEL_ERROR),
        (Ending.LOST, ErrorCode.WORKER_LOST),
        (Ending.LOST_UNSTARTED, ErrorCode.WORKER_LOST),
    ],
)
async def test_a_bad_end_without_words_can_still_be_read(
    kind: Ending, code: ErrorCode, db: Database, stage: Stage, worker: UUID
) -> None:
    held = await stage.running(worker, max_attempts=1)
    await stage.change(held[0], f"alone = true, free_losses = {FREE_LOSSES}")
    await settle(db, [Settlement(*held, kind)])
    job = await the_job(db, held[0])
    assert job.error is not None
    assert (job.error.code, job.error.message) == (code, "")
