"""What a client may do to a job: cancel it, retry it, delete it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, delete, literal_column, null, update

from shared.database.endings import TOLD, ended
from shared.database.entries import announced, enter_queued, finished, is_state, moved
from shared.database.fence import MINE
from shared.database.jobs import JOB_COLUMNS, job_of
from shared.database.pool import Database
from shared.database.reading import get_job
from shared.database.statement import Statement, clock, constant
from shared.database.tables import jobs
from shared.job import Job
from shared.states import FINISHED, RETRYABLE, JobState


def _cancel() -> Statement:
    """Queued -> cancelled now; running -> cancelling, its worker learns of it with the next heartbeat (rule 8)."""
    queued = is_state(JobState.QUEUED)
    becomes = case((queued, constant(JobState.CANCELLED)), else_=constant(JobState.CANCELLING))
    changed = (
        update(jobs)
        .where(*MINE, is_state(JobState.QUEUED, JobState.RUNNING))
        .values(
            state=becomes,
            revision=jobs.c.revision + 1,
            **{name: case((queued, value), else_=null()) for name, value in finished(becomes).items()},
            **moved(becomes),
        )
        .returning(*JOB_COLUMNS, *TOLD)
        .cte("changed")
    )
    return Statement("cancel_job", ended(changed))


def _retry() -> Statement:
    """A new budget, the same job; `attempt` goes on counting (rule 1)."""
    changed = (
        update(jobs)
        .where(*MINE, is_state(*RETRYABLE))
        .values(
            **enter_queued(clock()),
            **moved(constant(JobState.QUEUED)),
            charged=0,
            free_losses=0,
            alone=literal_column("false"),
            result=null(),
        )
        .returning(*JOB_COLUMNS)
        .cte("changed")
    )
    return Statement("retry_job", announced(changed))


def _delete() -> Statement:
    """What hangs on the row goes with it (foreign keys), and with it the idempotency key. Whatever still comes finds zero rows."""
    deleted = delete(jobs).where(*MINE, is_state(*FINISHED)).returning(jobs.c.id, jobs.c.result_key).cte("deleted")
    return Statement("delete_job", announced(deleted))


_CANCEL = _cancel()
_RETRY = _retry()
_DELETE = _delete()


@dataclass(frozen=True, slots=True)
class Deleted:
    """key: of the blob that nothing points at any more."""

    id: UUID
    key: str | None


async def cancel_job(db: Database, owner: str | None, job_id: UUID) -> Job | None:
    """-> the job as it is now (cancelled, cancelling, or as it had ended before); None: no such job of this owner."""
    row = await db.fetch_row(_CANCEL, owner=owner, job_id=job_id)
    return job_of(row) if row else await get_job(db, owner, job_id)


async def retry_job(db: Database, owner: str | None, job_id: UUID) -> tuple[Job, bool] | None:
    """-> (the job as it is now, whether it was queued again); None: no such job of this owner."""
    row = await db.fetch_row(_RETRY, owner=owner, job_id=job_id)
    if row:
        return job_of(row), True
    job = await get_job(db, owner, job_id)
    return (job, False) if job else None


async def delete_job(db: Database, owner: str | None, job_id: UUID) -> Deleted | Job | None:
    """-> what was deleted, or the job, which has not finished; None: no such job of this owner."""
    row = await db.fetch_row(_DELETE, owner=owner, job_id=job_id)
    return Deleted(row["id"], row["result_key"]) if row else await get_job(db, owner, job_id)
