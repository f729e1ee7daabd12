"""Reading jobs: one, several, a queue's head. Every read on behalf of a client names the owner in the statement itself."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, Text, Uuid, any_, bindparam, column, func, select

from shared.database.entries import is_state
from shared.database.fence import MINE, owned_by
from shared.database.jobs import JOB_COLUMNS, job_of
from shared.database.pool import Database
from shared.database.statement import Statement, each
from shared.database.tables import jobs
from shared.job import Job, JsonText
from shared.states import JobState


def _get_of() -> Select[Any]:
    wanted = func.unnest(each("owner", Text), each("job_id", Uuid))
    mine = wanted.table_valued(column("owner", Text), column("job_id", Uuid), name="mine").render_derived()
    return select(mine.c.owner.label("asked_by"), *JOB_COLUMNS).join_from(
        mine, jobs, owned_by(mine.c.owner) & (jobs.c.id == mine.c.job_id)
    )


_GET = Statement("get_job", select(*JOB_COLUMNS).where(*MINE))
_GET_OF = Statement("get_jobs_of", _get_of())
_GET_INPUT = Statement("get_input", select(jobs.c.input).where(*MINE))
_GET_MANY = Statement("get_jobs", select(*JOB_COLUMNS).where(jobs.c.id == any_(each("ids", Uuid))))
_QUEUE_HEAD = Statement(
    "queue_head",
    select(jobs.c.id)
    .where(is_state(JobState.QUEUED), jobs.c.queue == bindparam("queue", type_=Text))
    .order_by(jobs.c.id)
    .limit(bindparam("limit", type_=Integer)),
)


async def get_job(db: Database, owner: str | None, job_id: UUID) -> Job | None:
    row = await db.fetch_row(_GET, owner=owner, job_id=job_id)
    return job_of(row) if row else None


async def get_jobs_of(db: Database, wanted: Sequence[tuple[str | None, UUID]]) -> list[Job | None]:
    """wanted: (owner, job id). -> in the order given; None: not there, or another's."""
    owners, ids = [owner for owner, _ in wanted], [job_id for _, job_id in wanted]
    found = {(row["asked_by"], row["id"]): job_of(row) for row in await db.fetch(_GET_OF, owner=owners, job_id=ids)}
    return [found.get(one) for one in wanted]


async def get_input(db: Database, owner: str | None, job_id: UUID) -> JsonText | None:
    row = await db.fetch_row(_GET_INPUT, owner=owner, job_id=job_id)
    return row["input"] if row else None


async def get_jobs(db: Database, ids: Collection[UUID]) -> list[Job]:
    """Whoever owns them: for processes that already know whom they answer."""
    return [job_of(row) for row in await db.fetch(_GET_MANY, ids=list(ids))]


async def queue_head(db: Database, queue: str, limit: int = 1000) -> list[UUID]:
    """The ids that wait in a queue, the first to be served first, at most `limit` of them."""
    return [row["id"] for row in await db.fetch(_QUEUE_HEAD, queue=queue, limit=limit)]
