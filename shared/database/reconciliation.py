"""The reconciler's statements (rules 6, 11, 12). Each finds its rows without locks, then locks them in order and looks again."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    delete,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)

from shared.database.endings import TOLD, ended
from shared.database.entries import (
    HELD_JOBS,
    RESULT,
    Ending,
    apply_verdict,
    error_object,
    finished,
    forget_publication,
    is_state,
    kept_for,
    moved,
    verdict_columns,
)
from shared.database.fence import locked
from shared.database.pool import Transaction
from shared.database.statement import Statement, constant, seconds
from shared.database.tables import Timestamp, jobs, workers
from shared.states import ErrorCode, JobState

# Any number will do, as long as nobody else takes it: "torch" in ASCII.
ADVISORY_LOCK = 0x746F726368
# Rows changed by one statement: keeps each tick's transaction short.
ROWS_PER_TICK = 1000
# Rule 11: the first repetition no sooner than this, then doubling up to an hour.
REPUBLISH_AFTER = 30.0
REPUBLISH_AT_MOST = 3600.0
# Rule 11: a row is overtaken when rows of its queue published this much later have been claimed.
OVERTAKEN_BY = 600.0

_TRY_LOCK = Statement(
    "reconciler_lock",
    select(
        func.pg_try_advisory_xact_lock(literal_column(str(ADVISORY_LOCK), BigInteger)).label("mine"),
        cast(func.extract("epoch", func.now()), Float).label("now"),
    ),
)
_DECLARE_DEAD = Statement(
    "declare_dead",
    update(workers)
    .where(workers.c.state == constant("alive"), workers.c.lease_until < func.now())
    .values(state=constant("dead"))
    .returning(workers.c.id),
)


def _some(rows: Select[tuple[UUID]]) -> ColumnElement[bool]:
    """At most ROWS_PER_TICK of these, found before any lock is taken."""
    return jobs.c.id.in_(rows.limit(literal_column(str(ROWS_PER_TICK), Integer)).correlate(None))


def _requeue_orphans() -> Statement:
    """Every held job whose worker is not alive, whoever declared it dead and whenever (rule 6)."""
    orphaned = ~exists(select(workers.c.id).where(workers.c.id == jobs.c.worker, workers.c.state == constant("alive")))
    kind = case((jobs.c.started_at.is_(None), constant(Ending.LOST_UNSTARTED)), else_=constant(Ending.LOST))
    message = case(
        (jobs.c.started_at.is_(None), constant("its worker was lost before the job started")),
        else_=constant("the worker that ran it was lost"),
    )
    verdict = locked(
        HELD_JOBS,
        orphaned,
        _some(select(jobs.c.id).where(HELD_JOBS, orphaned)),
        columns=(
            kind.label("kind"),
            constant(ErrorCode.WORKER_LOST).label("code"),
            message.label("message"),
            literal_column("true").label("retryable"),
            *(cast(null(), kind).label(name) for name, kind in RESULT.items()),
            *verdict_columns(kind),
        ),
    )
    settled = apply_verdict(verdict).returning(jobs.c.id, jobs.c.state, *TOLD).cte("settled")
    return Statement("requeue_orphans", ended(settled))


def _expire() -> Statement:
    late = and_(is_state(JobState.QUEUED), jobs.c.queue_deadline < func.now())
    rows = locked(late, _some(select(jobs.c.id).where(late).order_by(jobs.c.queue_deadline)))
    error = error_object(
        ErrorCode.QUEUE_EXPIRED,
        "no worker took it before its queue_ttl was over; retry queues it again",
        retryable=True,
    )
    expired_state = constant(JobState.EXPIRED)
    expired = (
        update(jobs)
        .where(jobs.c.id == rows.c.id)
        .values(
            state=expired_state,
            error=error,
            revision=jobs.c.revision + 1,
            **finished(expired_state),
            **moved(expired_state),
        )
        .returning(jobs.c.id, *TOLD)
        .cte("expired")
    )
    return Statement("expire", ended(expired))


def _note_ends() -> Statement:
    """What a service of the release before has ended, who knew nothing of retention, events and webhooks."""
    unnoted = and_(jobs.c.finished_at.is_not(None), jobs.c.purge_at.is_(None))
    rows = locked(unnoted, _some(select(jobs.c.id).where(unnoted)))
    noted = (
        update(jobs)
        .where(jobs.c.id == rows.c.id)
        .values(
            purge_at=jobs.c.finished_at + kept_for(jobs.c.state),
            revision=jobs.c.revision + 1,
            **moved(jobs.c.state, at=jobs.c.finished_at),
        )
        .returning(jobs.c.id, *TOLD)
        .cte("noted")
    )
    return Statement("note_ends", ended(noted))


def _republish() -> Statement:
    """Rule 11: a live worker idles beside published rows, or rows published much later have been claimed."""
    report = (
        func.jsonb_to_recordset(workers.c.queues)
        .table_valued(
            column("queue", Text), column("idle", Boolean), column("newest_claimed", Timestamp), name="report"
        )
        .render_derived(with_types=True)
    )
    idle = func.bool_or(and_(report.c.idle, workers.c.state == constant("alive")))
    heard = (
        select(report.c.queue, idle.label("idle"), func.max(report.c.newest_claimed).label("newest_claimed"))
        .select_from(workers.join(report, true()))
        .group_by(report.c.queue)
        .cte("heard")
    )
    after = bindparam("after", type_=Float)
    interval = func.least(after * func.power(2.0, func.least(jobs.c.republished, 20)), REPUBLISH_AT_MOST)
    overtaken = jobs.c.published_at < heard.c.newest_claimed - seconds(literal_column(str(OVERTAKEN_BY), Float))
    forgotten = and_(
        is_state(JobState.QUEUED),
        jobs.c.published_at < func.now() - seconds(after),
        jobs.c.published_at + seconds(cast(interval, Float)) < func.now(),
    )
    oldest = (
        select(jobs.c.id)
        .join(heard, heard.c.queue == jobs.c.queue)
        .where(forgotten, or_(heard.c.idle, overtaken))
        .order_by(jobs.c.published_at)
    )
    rows = locked(forgotten, _some(oldest))
    again = (
        update(jobs).where(jobs.c.id == rows.c.id).values(**forget_publication(), republished=jobs.c.republished + 1)
    )
    return Statement("republish", again.returning(jobs.c.id, jobs.c.queue))


_REQUEUE_ORPHANS = _requeue_orphans()
_EXPIRE = _expire()
_NOTE_ENDS = _note_ends()
_REPUBLISH = _republish()
# Incarnations of long ago: nothing refers to them but the history of jobs, by id.
_FORGET_WORKERS = Statement(
    "forget_workers",
    delete(workers).where(
        workers.c.state != constant("alive"), workers.c.heartbeat_at < func.now() - literal_column("interval '1 day'")
    ),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """mine: whether the lock is. now: seconds, the time by which this transaction judges leases and deadlines (rule 7)."""

    mine: bool
    now: float


async def try_lock(tx: Transaction) -> Turn:
    """Whose turn it is; the lock goes with the transaction (rule 12)."""
    return Turn(**(await tx.fetch(_TRY_LOCK))[0])


async def declare_dead(tx: Transaction) -> list[UUID]:
    """Incarnations whose lease is over. Only for who has been in contact for a whole lease (rule 7)."""
    return [row["id"] for row in await tx.fetch(_DECLARE_DEAD)]


async def requeue_orphans(tx: Transaction) -> dict[UUID, JobState]:
    """-> the jobs that no live worker holds any more, and what became of each."""
    return {row["id"]: JobState(row["state"]) for row in await tx.fetch(_REQUEUE_ORPHANS)}


async def expire(tx: Transaction) -> list[UUID]:
    """Jobs that have waited past their queue_deadline. Not within a lease of an outage (rule 7)."""
    return [row["id"] for row in await tx.fetch(_EXPIRE)]


async def note_ends(tx: Transaction) -> list[UUID]:
    """Jobs that a service of the release before has ended: what their end lacks is added."""
    return [row["id"] for row in await tx.fetch(_NOTE_ENDS)]


async def republish(tx: Transaction, after: float = REPUBLISH_AFTER) -> list[UUID]:
    """Jobs whose message the broker seems to have forgotten: the relay's sweep publishes them anew.

    after: seconds from a job's publication to its first repetition.
    """
    return [row["id"] for row in await tx.fetch(_REPUBLISH, after=after)]


async def forget_workers(tx: Transaction) -> None:
    """Drops incarnations that ended more than a day ago."""
    await tx.fetch(_FORGET_WORKERS)
