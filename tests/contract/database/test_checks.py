"""What a row of `jobs` can hold by itself, whichever statement writes it."""

from uuid import UUID

import asyncpg
import pytest

from shared.states import FINISHED, JobState
from tests.contract.database.stage import Stage


@pytest.mark.parametrize("state", JobState)
async def test_a_time_of_its_end_is_there_exactly_when_it_has_ended(
    state: JobState, stage: Stage, worker: UUID
) -> None:
    job_id = await stage.in_state(state, worker)
    assert ((await stage.row(job_id))["finished_at"] is not None) == (state in FINISHED)

    with pytest.raises(asyncpg.CheckViolationError, match="ck_jobs_finished"):
        await stage.change(job_id, f"finished_at = {'NULL' if state in FINISHED else 'now()'}")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("state = 'asleep'", "state"),
        ("task = 'dreaming'", "task"),
        ("worker = gen_random_uuid()", "held"),
        ("result = '1'", "result"),
        ("error = '{}'", "error"),
        ("attempt = -1", "attempt"),
        ("charged = 3", "charged"),
        ("max_attempts = 0", "max_attempts|charged"),
        ("idempotency_key = 'x'", "idempotency"),
    ],
)
async def test_what_cannot_be_is_refused(change: str, check: str, stage: Stage) -> None:
    """Of a job that waits."""
    job_id = await stage.queued()

    with pytest.raises(asyncpg.CheckViolationError, match=f"ck_jobs_({check})"):
        await stage.change(job_id, change)
