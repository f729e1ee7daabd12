"""Retention: what was kept long enough goes, in bounded batches. First a job's result, later its row with all that hangs on it.

Each statement finds what is due without locks, then locks it in order and looks again: a job that was retried meanwhile
has no `purge_at` any more. What it returns of blobs is to be deleted once the transaction is committed: row, commit, file.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)

from shared.database.entries import HELD_JOBS, announced
from shared.database.fence import locked
from shared.database.pool import Database, Transaction
from shared.database.statement import Statement, each, seconds
from shared.database.tables import job_uploads, jobs, uploads

# As the reconciler's, and another number: a purge must not hold up who takes jobs back from the dead.
ADVISORY_LOCK = 0x746F726368 + 1
SWEEP_LOCK = 0x746F726368 + 2
# Changed by one statement: keeps each transaction short.
ROWS_PER_TICK = 500
# A row takes its events with it, up to 10,000 (EVENTS_PER_JOB): this many go in a second or less.
EVENTS_PER_TICK = 50_000


@dataclass(frozen=True, slots=True)
class Purged:
    """ids: of what was purged. keys: the blobs that nothing points at any more."""

    ids: Collection[UUID]
    keys: Collection[str]


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value), Integer)


_TRY_LOCK = Statement(
    "retention_lock",
    select(func.pg_try_advisory_xact_lock(literal_column(str(ADVISORY_LOCK), BigInteger)).label("mine")),
)
# Finished: a retry by a service of the release before leaves `purge_at` where it was.
_DUE = and_(jobs.c.purge_at < func.now(), jobs.c.finished_at.is_not(None))
# A result that goes with its row needs no step of its own.
_RESULT_DUE = and_(
    _DUE,
    or_(jobs.c.result.is_not(None), jobs.c.result_key.is_not(None)),
    jobs.c.finished_at + jobs.c.row_retention > func.now(),
)
_ROW_DUE = and_(
    _DUE,
    or_(
        and_(jobs.c.result.is_(None), jobs.c.result_key.is_(None)),
        jobs.c.finished_at + jobs.c.row_retention <= func.now(),
    ),
)


def _purge_results() -> Statement:
    """The job stays as it was, without its result; `purge_at` says when the row goes."""
    due = select(jobs.c.id).where(_RESULT_DUE).order_by(jobs.c.purge_at).limit(_number(ROWS_PER_TICK))
    rows = locked(_RESULT_DUE, jobs.c.id.in_(due.correlate(None)), columns=(jobs.c.result_key.label("key"),))
    purged = (
        update(jobs)
        .where(jobs.c.id == rows.c.id)
        .values(
            result=null(),
            result_key=null(),
            result_size=null(),
            result_sha256=null(),
            purge_at=jobs.c.finished_at + jobs.c.row_retention,
            revision=jobs.c.revision + 1,
        )
        .returning(jobs.c.id, rows.c.key)
        .cte("purged")
    )
    return Statement("purge_results", announced(purged))


def _purge_rows() -> Statement:
    """Its events, its deliveries and its references to uploads go with it (foreign keys)."""
    first = (
        select(jobs.c.id, jobs.c.purge_at, jobs.c.last_seq)
        .where(_ROW_DUE)
        .order_by(jobs.c.purge_at)
        .limit(_number(ROWS_PER_TICK))
        .subquery("first")
    )
    before = func.sum(first.c.last_seq).over(order_by=(first.c.purge_at, first.c.id)) - first.c.last_seq
    counted = select(first.c.id, before.label("before")).subquery("counted")
    due = select(counted.c.id).where(counted.c.before < _number(EVENTS_PER_TICK))
    rows = locked(_ROW_DUE, jobs.c.id.in_(due))
    purged = (
        delete(jobs).where(jobs.c.id == rows.c.id).returning(jobs.c.id, jobs.c.result_key.label("key")).cte("purged")
    )
    return Statement("purge_rows", announced(purged))


_PURGE_RESULTS = _purge_results()
_PURGE_ROWS = _purge_rows()

_REFERRED_TO = exists(select(job_uploads.c.job_id).where(job_uploads.c.upload_id == uploads.c.id))
# Locked like this, an upload gets no new reference: a submission that comes too late finds it gone. Who comes first holds
# its row in his turn, and it is left alone.
_LOCK_UPLOADS = Statement(
    "lock_old_uploads",
    select(uploads.c.id)
    .where(uploads.c.created_at < func.now() - seconds(bindparam("age", type_=Float)), ~_REFERRED_TO)
    .order_by(uploads.c.created_at)
    .limit(_number(ROWS_PER_TICK))
    .with_for_update(of=uploads, skip_locked=True),
)
# A statement of its own, which sees the references that were committed just before the lock.
_PURGE_UPLOADS = Statement(
    "purge_uploads",
    delete(uploads)
    .where(uploads.c.id == any_(each("ids", Uuid)), ~_REFERRED_TO)
    .returning(uploads.c.id, uploads.c.key),
)

_POINTED_AT_BY_JOBS = Statement(
    "results_pointed_at",
    select(jobs.c.id, jobs.c.result_key, jobs.c.attempt, HELD_JOBS.label("held")).where(
        jobs.c.id == any_(each("ids", Uuid)), or_(jobs.c.result_key.is_not(None), HELD_JOBS)
    ),
)
_POINTED_AT_BY_UPLOADS = Statement(
    "uploads_pointed_at", select(uploads.c.id).where(uploads.c.id == any_(each("ids", Uuid)))
)


async def try_lock(tx: Transaction) -> bool:
    """Whether this tick is ours; the lock goes with the transaction (rule 12)."""
    return bool((await tx.fetch(_TRY_LOCK))[0]["mine"])


async def purge_results(tx: Transaction) -> Purged:
    """Results of jobs whose rows stay for a while."""
    return _purged(await tx.fetch(_PURGE_RESULTS))


async def purge_rows(tx: Transaction) -> Purged:
    """Finished jobs, and whatever of a result they still have."""
    return _purged(await tx.fetch(_PURGE_ROWS))


async def purge_uploads(tx: Transaction, age: float) -> Purged:
    """Uploads that are older than `age` (seconds), and that no job refers to."""
    ids = [row["id"] for row in await tx.fetch(_LOCK_UPLOADS, age=age)]
    return _purged(await tx.fetch(_PURGE_UPLOADS, ids=ids) if ids else ())


async def results_in_use(db: Database, keys: Mapping[str, tuple[UUID, int]]) -> set[str]:
    """keys: of blobs, each with the (job id, attempt) that it was written by. -> those that a row points at, or still may.

    An attempt that holds its job may be about to settle it, with a blob that it wrote however long ago.
    """
    rows = await db.fetch(_POINTED_AT_BY_JOBS, ids=list({job_id for job_id, _ in keys.values()}))
    pointed_at = {row["result_key"] for row in rows}
    held = {(row["id"], row["attempt"]) for row in rows if row["held"]}
    return {key for key, attempt in keys.items() if key in pointed_at or attempt in held}


async def uploads_in_use(db: Database, ids: Collection[UUID]) -> set[UUID]:
    """Those of which there is a row."""
    return {row["id"] for row in await db.fetch(_POINTED_AT_BY_UPLOADS, ids=list(ids))}


def _purged(rows: Collection[Mapping[str, object]]) -> Purged:
    return Purged([row["id"] for row in rows], [row["key"] for row in rows if row["key"]])  # type: ignore[misc]
