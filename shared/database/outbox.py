"""The relay's statements (rules 2 and 3): lease rows to publish, stamp them, let them go; and forgetting publications."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from asyncpg import Record
from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    Text,
    Uuid,
    all_,
    any_,
    bindparam,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)

from shared.database.entries import forget_publication, is_state
from shared.database.fence import locked, locked_entries
from shared.database.pool import Database
from shared.database.statement import Statement, clock, each, seconds
from shared.database.tables import jobs
from shared.states import JobState

# How long a relay may take to publish and stamp what it leased, before another one takes over.
PUBLISH_LEASE = 30.0
# Rows of a queue made anew that one statement clears: 300,000 at once take longer than any may.
FORGOTTEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Unpublished:
    """One entry into `queued` that is to be published."""

    id: UUID
    publish_no: int
    queue: str
    model: str
    task: str
    traceparent: str | None


def _lease() -> Statement:
    due = (
        select(jobs.c.id)
        .where(
            is_state(JobState.QUEUED),
            jobs.c.published_at.is_(None),
            jobs.c.available_at <= func.now(),
            or_(jobs.c.publish_leased_until.is_(None), jobs.c.publish_leased_until < func.now()),
            jobs.c.queue != all_(each("resting", Text)),
        )
        .order_by(jobs.c.available_at)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return Statement(
        "lease_unpublished",
        update(jobs)
        .where(jobs.c.id == due.c.id)
        .values(publish_leased_until=clock() + seconds(literal_column(str(PUBLISH_LEASE), Float)))
        .returning(*(jobs.c[name] for name in Unpublished.__slots__)),
    )


def _for_entries(name: str, values: dict[str, object], *conditions: ColumnElement[bool]) -> Statement:
    entries = locked_entries(*conditions)
    return Statement(name, update(jobs).where(jobs.c.id == entries.c.id).values(values).returning(jobs.c.id))


def _forget_queue() -> Statement:
    waits = is_state(JobState.QUEUED)
    found = (
        select(jobs.c.id)
        .where(waits, jobs.c.queue == bindparam("queue", type_=Text), jobs.c.id > bindparam("after", type_=Uuid))
        .order_by(jobs.c.id)
        .limit(bindparam("limit", type_=Integer))
        .cte("found")
    )
    mine = locked(waits, jobs.c.id.in_(select(found.c.id)))
    forgotten = (
        update(jobs).where(jobs.c.id == mine.c.id).values(forget_publication()).returning(jobs.c.id).cte("forgotten")
    )
    last = select(found.c.id).order_by(found.c.id.desc()).limit(1).scalar_subquery()
    seen, count = (select(func.count(rows.c.id)).scalar_subquery() for rows in (found, forgotten))
    return Statement("forget_queue", select(last.label("last"), seen.label("seen"), count.label("count")))


# Published again twice by rule 11, the last time a while ago, and still not claimed.
_OVERLOOKED = Statement(
    "find_overlooked",
    select(jobs.c.queue)
    .distinct()
    .where(
        is_state(JobState.QUEUED),
        jobs.c.queue == any_(each("queues", Text)),
        jobs.c.published_at < func.now() - literal_column("interval '10 seconds'"),
        jobs.c.republished >= 2,
    ),
)
_LEASE = _lease()
_NOT_STAMPED = jobs.c.published_at.is_(None)
_STAMP = _for_entries("stamp_published", {"published_at": clock(), "publish_leased_until": null()}, _NOT_STAMPED)
_RELEASE = _for_entries("release_unpublished", {"publish_leased_until": null()}, _NOT_STAMPED)
_FORGET_DEAD = _for_entries("forget_dead_letters", forget_publication())
_FORGET_QUEUE = _forget_queue()

# One entry into `queued`: (job id, publish_no).
Entry = tuple[UUID, int]


async def lease_unpublished(db: Database, limit: int, resting: Collection[str] = ()) -> list[Unpublished]:
    """Takes at most `limit` due, unpublished rows for PUBLISH_LEASE seconds; a job whose fast path is still young is left to it.

    resting: queues whose jobs are left alone for now.
    """
    return [Unpublished(*row) for row in await db.fetch(_LEASE, limit=limit, resting=list(resting))]


async def stamp_published(db: Database, entries: Collection[Entry]) -> int:
    """Notes that these entries were published. Newer entries of the same jobs, and claimed jobs, are left alone."""
    return len(await _run(db, _STAMP, entries))


async def release_unpublished(db: Database, entries: Collection[Entry]) -> int:
    """Publishing failed: whoever sweeps next may try at once."""
    return len(await _run(db, _RELEASE, entries))


async def forget_dead_letters(db: Database, entries: Collection[Entry]) -> int:
    """Dead-lettered messages whose entry still waits: to be published again (rule 5)."""
    return len(await _run(db, _FORGET_DEAD, entries))


async def forget_queue(db: Database, queue: str) -> int:
    """The queue's subscription was made anew: whatever was published before is gone (rule 11).

    In portions, each committed: however much waits, no statement runs into its time-out, and what is done stays done.
    What is submitted meanwhile is published to the new one.
    """
    count, last, seen = 0, UUID(int=0), FORGOTTEN_AT_ONCE
    while seen == FORGOTTEN_AT_ONCE:
        (row,) = await db.fetch(_FORGET_QUEUE, queue=queue, after=last, limit=FORGOTTEN_AT_ONCE)
        count, last, seen = count + row["count"], row["last"], row["seen"]
    return count


async def find_overlooked(db: Database, queues: Collection[str]) -> list[str]:
    """Those of these queues that have jobs whose message was sent three times, and whom nobody has claimed."""
    return [row["queue"] for row in await db.fetch(_OVERLOOKED, queues=list(queues))]


async def _run(db: Database, statement: Statement, entries: Collection[Entry]) -> list[Record]:
    ids, numbers = [job_id for job_id, _ in entries], [number for _, number in entries]
    return await db.fetch(statement, id=ids, publish_no=numbers)
