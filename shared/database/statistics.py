"""Statements that look at whole queues. Each reads indexes, or a bounded number of rows; see docs/decisions/0020."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    FromClause,
    Select,
    Text,
    bindparam,
    column,
    extract,
    func,
    literal_column,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.entries import HELD_JOBS, is_state
from shared.database.pool import Database
from shared.database.statement import Statement, constant, each
from shared.database.tables import jobs, workers
from shared.states import JobState
from shared.statistics import Percentiles, QueueFlow, QueueLoad, QueuePace

SAMPLE = 1000  # jobs of a queue that its percentiles are of: p99 of fewer would be one job's
LATELY = "interval '1 hour'"  # and none of them ended longer ago
PACE_SAMPLE = 50  # the latest ones: an estimate must follow a change within some jobs
MOST_WAITING = 1000  # beyond this an estimate is at its limit anyway

_HAS_ENDED = jobs.c.finished_at.is_not(None)
# What was cancelled or has expired says nothing about how long work takes.
_DONE = is_state(JobState.SUCCEEDED, JobState.FAILED)
_QUEUE = bindparam("queue", type_=Text)


def _ago(interval: str) -> ColumnElement[Any]:
    return func.now() - literal_column(interval)


def _seconds(interval: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.greatest(extract("epoch", interval).cast(Float), literal_column("0.0"), type_=Float)


def _latest(of: ColumnElement[str], count: int) -> Select[Any]:
    """Waiting is from the latest entry into the queue, once its back-off was over; running is the last attempt."""
    return (
        select(
            jobs.c.finished_at,
            _seconds(jobs.c.started_at - jobs.c.available_at).label("waited"),
            _seconds(jobs.c.finished_at - jobs.c.started_at).label("ran"),
        )
        .where(jobs.c.queue == of, _HAS_ENDED, _DONE, jobs.c.started_at.is_not(None))
        .where(jobs.c.finished_at > _ago(LATELY))
        .order_by(jobs.c.finished_at.desc())
        .limit(count)
    )


def _load() -> Statement:
    oldest = _seconds(func.now() - func.min(jobs.c.available_at))
    queued = select(jobs.c.queue, constant(JobState.QUEUED).label("state"), func.count().label("count"), oldest)
    held = select(jobs.c.queue, jobs.c.state, func.count(), null().cast(Float))
    return Statement(
        "queue_load",
        union_all(
            queued.where(is_state(JobState.QUEUED)).group_by(jobs.c.queue),
            held.where(HELD_JOBS).group_by(jobs.c.queue, jobs.c.state),
        ),
    )


def _flow() -> Statement:
    wanted = func.unnest(each("queues", Text)).table_valued(column("queue", Text), name="wanted").render_derived()
    done = (
        select(func.count().label("done"))
        .where(jobs.c.queue == wanted.c.queue, _HAS_ENDED, _DONE, jobs.c.finished_at > _ago("interval '1 minute'"))
        .lateral("minute")
    )
    latest = _latest(wanted.c.queue, SAMPLE).correlate(wanted).subquery("latest")
    shares: ColumnElement[Any] = literal_column("ARRAY[0.5, 0.95, 0.99]")
    sample = select(
        func.percentile_cont(shares).within_group(latest.c.waited).label("waiting"),
        func.percentile_cont(shares).within_group(latest.c.ran).label("running"),
    ).lateral("sample")
    joined: FromClause = wanted.join(done, true()).join(sample, true())
    return Statement(
        "queue_flow", select(wanted.c.queue, done.c.done, sample.c.waiting, sample.c.running).select_from(joined)
    )


def _pace() -> Statement:
    latest = _latest(_QUEUE, PACE_SAMPLE).subquery("latest")
    span = func.nullif(extract("epoch", func.max(latest.c.finished_at) - func.min(latest.c.finished_at)), 0)
    queued = select(jobs.c.id).where(is_state(JobState.QUEUED), jobs.c.queue == _QUEUE).limit(MOST_WAITING).subquery()
    alive = (workers.c.state == constant("alive")) & (workers.c.lease_until > func.now())
    pulls = workers.c.queues.contains(
        func.jsonb_build_array(func.jsonb_build_object(constant("queue"), _QUEUE), type_=JSONB)
    )
    return Statement(
        "queue_pace",
        select(
            func.percentile_cont(literal_column("0.5")).within_group(latest.c.ran).label("usual"),
            (func.count() / span).cast(Float).label("rate"),
            select(func.count()).select_from(queued).scalar_subquery().label("waiting"),
            select(func.count()).where(alive, pulls).scalar_subquery().label("workers"),
        ).select_from(latest),
    )


_LOAD = _load()
_FLOW = _flow()
_PACE = _pace()
_ENDED = Statement(
    "queue_ended",
    select(jobs.c.queue, jobs.c.state, func.count().label("count"))
    .where(_HAS_ENDED)
    .group_by(jobs.c.queue, jobs.c.state),
)


async def read_load(db: Database) -> dict[str, QueueLoad]:
    """Of the queues that have anything to do. Reads what waits and what runs from their partial indexes."""
    counts: dict[str, dict[JobState, int]] = defaultdict(dict)
    oldest: dict[str, float] = {}
    for queue, state, count, age in await db.fetch(_LOAD):
        counts[queue][JobState(state)] = count
        if age is not None:
            oldest[queue] = age
    return {queue: QueueLoad(found, oldest.get(queue)) for queue, found in counts.items()}


async def read_ended(db: Database) -> dict[str, dict[JobState, int]]:
    """How many rows there are of each finished state. Reads all of ix_jobs_finished: seldom."""
    counts: dict[str, dict[JobState, int]] = defaultdict(dict)
    for queue, state, count in await db.fetch(_ENDED):
        counts[queue][JobState(state)] = count
    return dict(counts)


async def read_flow(db: Database, queues: Collection[str]) -> dict[str, QueueFlow]:
    """Reads at most SAMPLE rows of each queue, and what the last minute has left in the index."""
    rows = await db.fetch(_FLOW, queues=list(queues))
    return {
        row["queue"]: QueueFlow(row["done"], Percentiles(*(row["waiting"] or ())), Percentiles(*(row["running"] or ())))
        for row in rows
    }


async def read_pace(db: Database, queue: str) -> QueuePace:
    row: Mapping[str, Any] | None = await db.fetch_row(_PACE, queue=queue)
    assert row is not None  # aggregates have one row
    return QueuePace(row["usual"], row["rate"], row["waiting"], row["workers"])
