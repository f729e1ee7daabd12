"""Which rows a statement may change, locked in the order that keeps statements from deadlocking.

Rule 1: whatever an attempt writes is guarded by its own number. Rule 2: whatever is said of a publication, by its
`publish_no`. Rule 4: rows are locked in the order of their ids. Rule 6: what a worker begins is guarded by its lease.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    bindparam,
    column,
    exists,
    func,
    or_,
    select,
)

from shared.database.entries import HELD_JOBS, is_state
from shared.database.statement import clock, constant, each
from shared.database.tables import jobs, workers
from shared.states import JobState

WORKER = bindparam("worker", type_=Uuid)


def owned_by(owner: ColumnElement[Any]) -> ColumnElement[bool]:
    """Every access on behalf of a client names the owner in the statement itself; NULL: whoever owns it (`admin`)."""
    return or_(owner.is_(None), jobs.c.owner == owner)


# One job of an owner; parameters `owner` and `job_id`.
MINE = (owned_by(bindparam("owner", type_=Text)), jobs.c.id == bindparam("job_id", type_=Uuid))


def rows_given(name: str, kinds: Mapping[str, Any]) -> TableValuedAlias:
    """Parameters that are arrays of equal length, as a table with a column for each."""
    return (
        func.unnest(*(each(key, kind) for key, kind in kinds.items()))
        .table_valued(*(column(key, kind) for key, kind in kinds.items()), name=name)
        .render_derived()
    )


def attempts(extra: Mapping[str, Any] | None = None) -> TableValuedAlias:
    """A row for each attempt spoken of: its `id` and `attempt`, and what `extra` names."""
    return rows_given("mine", {"id": Uuid, "attempt": Integer, **(extra or {})})


def held_by(mine: TableValuedAlias) -> ColumnElement[bool]:
    """The fence. Zero rows mean that the job belongs to a newer attempt, or has ended."""
    return and_(jobs.c.id == mine.c.id, jobs.c.attempt == mine.c.attempt, HELD_JOBS)


def worker_is_alive() -> ColumnElement[bool]:
    """Declared alive is not enough: the lease must not be over."""
    return exists(
        select(workers.c.id).where(
            workers.c.id == WORKER, workers.c.state == constant("alive"), workers.c.lease_until > clock()
        )
    )


def locked(*conditions: ColumnElement[Any], columns: tuple[ColumnElement[Any], ...] = ()) -> CTE:
    """The ids (and `columns`) of the rows that fulfil the conditions, locked in order."""
    rows = select(jobs.c.id, *columns).where(*conditions).order_by(jobs.c.id).with_for_update(of=jobs)
    return rows.cte("locked")


def locked_entries(*conditions: ColumnElement[Any]) -> CTE:
    """Rows still queued under just the `publish_no` that is meant; parameters: arrays `id` and `publish_no`."""
    entry = rows_given("entry", {"id": Uuid, "publish_no": Integer})
    same = and_(jobs.c.id == entry.c.id, jobs.c.publish_no == entry.c.publish_no)
    return locked(same, is_state(JobState.QUEUED), *conditions)
