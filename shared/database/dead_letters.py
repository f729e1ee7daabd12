"""What reached the dead-letter topic and cannot be read: kept for people to look at, and to send on its way once it can."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Integer,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.database.entries import forget_publication, interval_seconds
from shared.database.jobs import JOB_COLUMNS, job_of
from shared.database.pool import Database
from shared.database.statement import Statement, constant
from shared.database.storable import storable, storable_json
from shared.database.tables import Timestamp, dead_letters, jobs
from shared.job import Job
from shared.states import JobState

_d = dead_letters.c
_LETTER = _d.id == bindparam("letter", type_=Uuid)
_SHOWN = (_d.id, _d.queue, _d.reason, _d.received_at, func.octet_length(_d.data).label("size"), _d.attributes)

# Where a listing goes on: when a letter was received, and its id.
Place = tuple[datetime, UUID]
_NEWEST: Place = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """size: bytes of its data. attributes: as the message had them."""

    id: UUID
    queue: str
    reason: str
    received_at: datetime
    size: int
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Redrive:
    """job: published anew, and the letter gone; None: both were left as they are, for what the row says.

    state, publish_no: of the row before; None: there is no such job.
    """

    job: Job | None
    state: JobState | None
    publish_no: int | None


_KEEP = Statement(
    "keep_dead_letter",
    insert(dead_letters)
    .values(
        id=bindparam("id", type_=Uuid),
        queue=bindparam("queue", type_=Text),
        data=bindparam("data", type_=LargeBinary),
        attributes=bindparam("attributes", type_=JSONB),
        reason=bindparam("reason", type_=Text),
        received_at=func.now(),
    )
    .on_conflict_do_nothing(),
)


def _list() -> Statement:
    queue = bindparam("queue", type_=Text)
    before = tuple_(bindparam("before_time", type_=Timestamp), bindparam("before_id", type_=Uuid))
    return Statement(
        "list_dead_letters",
        select(*_SHOWN)
        .where(tuple_(_d.received_at, _d.id) < before, or_(queue.is_(None), _d.queue == queue))
        .order_by(_d.received_at.desc(), _d.id.desc())
        .limit(bindparam("limit", type_=Integer)),
    )


def _redrive() -> Statement:
    """The letter is locked before its job, the job seen as it is once it is locked: of two who redrive, one does."""
    letter = select(_d.id).where(_LETTER).with_for_update().cte("letter")
    meant = jobs.c.id == bindparam("job_id", type_=Uuid)
    found = (
        select(jobs.c.id, jobs.c.state, jobs.c.publish_no)
        .join_from(letter, jobs, meant)
        .with_for_update(of=jobs)
        .cte("found")
    )
    anew = (
        update(jobs)
        .where(
            jobs.c.id == found.c.id,
            found.c.state == constant(JobState.QUEUED),
            found.c.publish_no == bindparam("publish_no", type_=Integer),
        )
        .values(forget_publication())
        .returning(*JOB_COLUMNS)
        .cte("anew")
    )
    gone = delete(dead_letters).where(_LETTER, exists(select(anew.c.id))).returning(_d.id).cte("gone")
    return Statement(
        "redrive_dead_letter",
        select(found.c.state.label("was"), found.c.publish_no, *anew.c)
        .select_from(letter.outerjoin(found, true()).outerjoin(anew, true()))
        .add_cte(gone),
    )


def _purge() -> Statement:
    """Those that another process is purging, or somebody redrives, are left to them."""
    old = (
        select(_d.id)
        .where(_d.received_at < func.now() - interval_seconds("retention"))
        .order_by(_d.received_at)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    return Statement("purge_dead_letters", delete(dead_letters).where(_d.id == old.c.id).returning(_d.id))


_LIST = _list()
_GET = Statement("get_dead_letter", select(*_SHOWN, _d.data).where(_LETTER))
_DELETE = Statement("delete_dead_letter", delete(dead_letters).where(_LETTER).returning(_d.id))
_COUNT = Statement("count_dead_letters", select(_d.queue, func.count().label("count")).group_by(_d.queue))
_REDRIVE = _redrive()
_PURGE = _purge()


async def keep_dead_letter(
    db: Database, letter: UUID, queue: str, data: bytes, attributes: Mapping[str, str], reason: str
) -> None:
    """letter: the same id at each delivery; it is kept once."""
    await db.fetch(
        _KEEP,
        id=letter,
        queue=queue,
        data=data,
        attributes=storable_json(dict(attributes)),
        reason=storable(reason),
    )


async def list_dead_letters(
    db: Database, queue: str | None, limit: int, before: Place | None = None
) -> list[DeadLetter]:
    """Newest first. queue: None: of all. before: the place of the last one of the page before."""
    time, letter = before or _NEWEST
    rows = await db.fetch(_LIST, queue=queue, limit=limit, before_time=time, before_id=letter)
    return [_letter(row) for row in rows]


async def get_dead_letter(db: Database, letter: UUID) -> tuple[DeadLetter, bytes] | None:
    """With its data; None: it is not there."""
    row = await db.fetch_row(_GET, letter=letter)
    return (_letter(row), row["data"]) if row else None


async def delete_dead_letter(db: Database, letter: UUID) -> bool:
    """-> whether it was there."""
    return await db.fetch_row(_DELETE, letter=letter) is not None


async def redrive_dead_letter(db: Database, letter: UUID, job_id: UUID, publish_no: int) -> Redrive | None:
    """Has a job published anew that still waits under `publish_no`, and removes the letter, in one commit (rule 2).

    job_id, publish_no: what the letter says, now that it can be read. None: it is not there.
    """
    row = await db.fetch_row(_REDRIVE, letter=letter, job_id=job_id, publish_no=publish_no)
    if row is None:
        return None
    state = JobState(row["was"]) if row["was"] else None
    return Redrive(job_of(row) if row["id"] else None, state, row["publish_no"])


async def count_dead_letters(db: Database) -> dict[str, int]:
    """Of the queues that have any."""
    return {row["queue"]: row["count"] for row in await db.fetch(_COUNT)}


async def purge_dead_letters(db: Database, retention: float, limit: int) -> int:
    """Removes the oldest of those that are older than `retention` seconds. -> how many; `limit`: there may be more."""
    return len(await db.fetch(_PURGE, retention=retention, limit=limit))


def _letter(row: Mapping[str, Any]) -> DeadLetter:
    shown = {name: row[name] for name in DeadLetter.__slots__}
    return DeadLetter(**{**shown, "attributes": json.loads(row["attributes"])})
