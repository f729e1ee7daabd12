"""A page of jobs, newest first. Each shape of filter has a statement of its own, so that each finds the index made for it.

Pages go down by id. What was committed before the first page was read is on exactly one of them, as long as it is there
and fits the filter when its page is read. Ids are not in the order of commits: a job that is committed meanwhile is on a
later page or on none, and on no page twice. A cursor is a place, not a row: it holds after its job has been deleted.
"""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Select, Uuid, bindparam, func, select, true

from shared.database.entries import is_state
from shared.database.jobs import LISTED_COLUMNS, job_of
from shared.database.pool import Database
from shared.database.statement import Statement
from shared.database.tables import jobs
from shared.job import Job
from shared.states import HELD, JobState, Task

_ABOVE_ALL = UUID(int=2**128 - 1)  # where the first page begins: no UUIDv7 is as high


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What a listing is narrowed to; None: not narrowed."""

    state: JobState | None = None
    model: str | None = None
    task: Task | None = None
    batch_id: UUID | None = None


async def list_jobs(
    db: Database, owner: str | None, wanted: JobFilter, limit: int, before: UUID | None = None
) -> list[Job]:
    """Without results. owner None: everybody's. before: the last id of the page before."""
    asked = {"owner": owner, **asdict(wanted)}
    state = asked.pop("state")
    given = {name: value for name, value in asked.items() if value is not None}
    rows = await db.fetch(page(state, frozenset(given)), before=before or _ABOVE_ALL, limit=limit, **given)
    return [job_of(row) for row in rows]


@cache
def page(state: JobState | None, given: frozenset[str]) -> Statement:
    """given: which of the columns owner, model, task and batch_id are compared with parameters of their names.

    The state stands in the text, for the partial indexes. What waits or runs is not sought among all of an owner's jobs,
    where it may be anywhere or nowhere, but in the index of all that waits or runs.
    """
    rows = select(*LISTED_COLUMNS).where(jobs.c.id < bindparam("before", type_=Uuid))
    rows = rows.where(*(jobs.c[name] == bindparam(name, type_=jobs.c[name].type) for name in sorted(given)))
    if state is not None:
        rows = rows.where(is_state(state))
    if state is JobState.QUEUED:
        rows = _queued(rows)
    elif state in HELD:
        rows = _held(rows)
    return Statement(f"list_{state or 'all'}_jobs", _newest(rows))


def _newest(rows: Select[Any]) -> Select[Any]:
    return rows.order_by(rows.selected_columns.id.desc()).limit(bindparam("limit", type_=Integer))


def _queued(rows: Select[Any]) -> Select[Any]:
    """The newest of each queue: ix_jobs_queue_order is in the order of ids only within one. Queues are few."""
    waits = is_state(JobState.QUEUED)
    queues = select(func.min(jobs.c.queue).label("queue")).where(waits).cte("queues", recursive=True)
    following = select(func.min(jobs.c.queue)).where(waits, jobs.c.queue > queues.c.queue).scalar_subquery()
    queues = queues.union_all(select(following).where(queues.c.queue.is_not(None)))
    newest = _newest(rows.where(jobs.c.queue == queues.c.queue)).lateral("newest")
    return select(newest).join_from(queues, newest, true())


def _held(rows: Select[Any]) -> Select[Any]:
    """All of them, and then in order: ix_jobs_held has no order, and workers have room for few."""
    return select(rows.cte("held").prefix_with("MATERIALIZED"))
