"""insert_jobs: what is stored, and what is promised with it."""

import pytest

from shared.database.pool import Database
from shared.database.submission import FAST_PATH_LEASE, insert_jobs
from shared.errors import DatabaseRefused
from shared.states import JobState, Task
from tests.contract.database.stage import Stage, new_id, new_job


async def test_a_job_is_stored_as_it_was_given(db: Database, stage: Stage) -> None:
    given = new_job(
        owner="ada",
        task=Task.TRAINING,
        model="digits",
        version=7,
        queue="training",
        metadata='{"run": 3}',
        max_attempts=2,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        batch_id=new_id(),
    )
    (job,) = await insert_jobs(db, [given])
    row = await stage.row(given.id)
    for name in ("id", "owner", "task", "model", "version", "queue", "metadata", "max_attempts", "batch_id"):
        assert row[name] == getattr(given, name) == getattr(job, name), name
    assert (row["input"], row["traceparent"]) == (given.input, given.traceparent)


async def test_a_new_job_waits_and_nothing_was_done_with_it(db: Database) -> None:
    (job,) = await insert_jobs(db, [new_job()])
    assert (job.state, job.attempt, job.charged, job.revision) == (JobState.QUEUED, 0, 0, 1)
    assert (job.result, job.error, job.progress, job.started_at, job.finished_at, job.purge_at) == (None,) * 6


async def test_the_submitting_process_is_the_first_relay(stage: Stage) -> None:
    """Rule 3: a new row is leased for as long as the sweep leaves it to the fast path, under its first publish_no."""
    job_id = await stage.queued()
    row = await stage.row(job_id)
    assert (row["publish_no"], row["published_at"]) == (1, None)
    assert (row["publish_leased_until"] - row["created_at"]).total_seconds() == FAST_PATH_LEASE == 5.0


async def test_a_new_job_is_due_at_once_and_its_deadline_counts_from_now(stage: Stage) -> None:
    """Rule 2: `available_at` and `queue_deadline` of the first entry into queued."""
    row = await stage.row(await stage.queued(queue_ttl=90.0, execution_timeout=0.25))
    assert row["available_at"] == row["created_at"]
    assert (row["queue_deadline"] - row["created_at"]).total_seconds() == 90.0
    assert row["execution_timeout"].total_seconds() == 0.25


async def test_many_jobs_come_back_in_the_order_given(db: Database) -> None:
    given = [new_job(input=str(number)) for number in range(300)]
    given.reverse()
    stored = await insert_jobs(db, given)
    assert [job.id for job in stored] == [job.id for job in given]


async def test_all_are_stored_or_none(db: Database, stage: Stage) -> None:
    """One statement, one commit: whoever shares it with a job that cannot be stored is not answered 202."""
    with pytest.raises(DatabaseRefused):
        await insert_jobs(db, [new_job(), new_job(max_attempts=0)])
    assert await stage.rows() == []
