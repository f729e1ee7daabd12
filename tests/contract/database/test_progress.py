"""How far a job is: fenced like a settlement."""

from uuid import UUID

import pytest

from shared.database.pool import Database
from shared.database.reading import get_job
from shared.job import Progress
from shared.states import JobState
from tests.contract.database.stage import OWNER, Stage
from tests.contract.database.telling import write_progress


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.CANCELLING])
async def test_progress_of_a_held_job_is_shown(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    assert await write_progress(db, [(job_id, 1, Progress(0.25, "reading"))]) == {job_id}
    job = await get_job(db, OWNER, job_id)
    assert job is not None
    assert job.progress == Progress(0.25, "reading")
    assert (job.state, job.revision) == (state, before["revision"] + 1)


async def test_progress_of_an_older_attempt_is_refused(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 1: progress is guarded like a settlement; the others in the statement are written."""
    stale, good = await stage.running(worker), await stage.running(worker)
    progress = [(stale[0], stale[1] - 1, Progress(0.5)), (*good, Progress(0.75))]
    assert await write_progress(db, progress) == {good[0]}
    assert (await stage.row(stale[0]))["progress"] is None


@pytest.mark.parametrize("state", [state for state in JobState if state not in {"running", "cancelling"}])
async def test_progress_of_a_job_that_is_not_held_is_refused(
    state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 1: nothing is written into a job that has ended, or waits."""
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    assert await write_progress(db, [(job_id, before["attempt"], Progress(0.5))]) == set()
    assert await stage.row(job_id) == before


async def test_a_message_that_postgres_cannot_hold_is_mended(db: Database, stage: Stage, worker: UUID) -> None:
    """One job's odd text must not keep its neighbours' progress from being written."""
    odd, good = await stage.running(worker), await stage.running(worker)
    progress = [(*odd, Progress(0.5, "a\0b\ud800")), (*good, Progress(0.75))]
    assert await write_progress(db, progress) == {odd[0], good[0]}
    job = await get_job(db, OWNER, odd[0])
    assert job is not None
    assert job.progress == Progress(0.5, "a\ufffdb\ufffd")
