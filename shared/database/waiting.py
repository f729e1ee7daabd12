"""How many jobs wait, for the quotas."""

from sqlalchemy import func, select

from shared.database.entries import is_state
from shared.database.pool import Database
from shared.database.statement import Statement
from shared.database.tables import jobs
from shared.states import JobState

# All that is needed stands in ix_jobs_queue_order.
_COUNT = Statement(
    "count_waiting",
    select(jobs.c.queue, jobs.c.owner, func.count().label("jobs"))
    .where(is_state(JobState.QUEUED))
    .group_by(jobs.c.queue, jobs.c.owner),
)


async def count_waiting(db: Database) -> list[tuple[str, str, int]]:
    """(queue, owner, jobs) of all that wait. Reads the whole index of what waits: not for every submission."""
    return [(row["queue"], row["owner"], row["jobs"]) for row in await db.fetch(_COUNT)]
