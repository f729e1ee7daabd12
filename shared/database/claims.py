"""The worker's statements before the model runs: claim a batch, find out why not, put back, record the start."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Float,
    Integer,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)

from shared.catalogue import ModelState
from shared.database.entries import LOSS_DELAY, announced, is_state, moved, wait_on
from shared.database.fence import WORKER, attempts, held_by, locked, locked_entries, rows_given, worker_is_alive
from shared.database.pool import Database
from shared.database.statement import Statement, clock, constant, each, seconds
from shared.database.tables import job_uploads, jobs, uploads, workers
from shared.job import JsonText
from shared.states import HELD, JobState
from shared.uploads import Readable

# A job that is put back is due again in LOSS_DELAY where another worker serves it. Else after as long as it has waited by
# then, at most this: a backlog that nobody serves must not keep its queue's workers and the relay busy with itself.
UNSERVED_DELAY_AT_MOST = 60.0


@dataclass(frozen=True, slots=True)
class Claimed:
    """One attempt, held by one incarnation: all that the worker needs to run and settle it."""

    id: UUID
    attempt: int
    input: JsonText
    execution_timeout: float  # seconds, from the start
    alone: bool  # must run alone (rule 10)
    published_at: datetime | None  # now, of a job that was claimed before it could be stamped
    uploads: tuple[Readable, ...] = ()  # that its input refers to


class Unclaimed(Enum):
    """Why a message's job was not claimed, and so what becomes of the message (rule 5)."""

    WORKER_NOT_ALIVE = auto()  # keep it: heartbeat first
    NOT_SERVED = auto()  # queued, for a model or version that this worker does not serve: put it back, ack
    NOT_DUE = (
        auto()
    )  # yet its message is here: an old one, or the clock was set back. Put it back, if it is no old one; ack
    CLAIMABLE = auto()  # became claimable in between: claim again
    ROW = auto()  # finished, held, or gone: the row knows what comes next; ack


@dataclass(frozen=True, slots=True)
class Started:
    """What the start statement found. What is in neither set belongs to a newer attempt, if the worker is alive."""

    running: frozenset[UUID]  # may go to the child
    cancelling: frozenset[UUID]  # to be settled as stopped instead (rule 8)
    worker_alive: bool


def _claim() -> Statement:
    due = locked(
        jobs.c.id == any_(each("ids", Uuid)),
        is_state(JobState.QUEUED),
        jobs.c.available_at <= func.now(),
        jobs.c.model == bindparam("model", type_=Text),
        jobs.c.version == bindparam("version", type_=Integer),
        worker_is_alive(),
    )
    timeout = cast(func.extract("epoch", jobs.c.execution_timeout), Float).label("execution_timeout")
    # A message that came before its stamp was published under a lease that still runs; rule 11 counts on the newest claim.
    fresh = case((jobs.c.publish_leased_until > func.now(), func.now()))
    published_at = func.coalesce(jobs.c.published_at, fresh).label("published_at")
    starts = bindparam("starts", type_=Boolean) & ~jobs.c.alone
    referred = (
        select(func.array_agg(func.row(uploads.c.id, uploads.c.size, uploads.c.sha256)))
        .select_from(job_uploads.join(uploads))
        .where(job_uploads.c.job_id == jobs.c.id)
        .scalar_subquery()
        .label("uploads")
    )
    claimed = (
        update(jobs)
        .where(jobs.c.id == due.c.id)
        .values(
            state=constant(JobState.RUNNING),
            worker=WORKER,
            attempt=jobs.c.attempt + 1,
            **moved(constant(JobState.RUNNING), jobs.c.attempt + 1),
            started_at=case((starts, clock())),  # rule 9: an earlier attempt's start is not this one's
            free_losses=case((starts, 0), else_=jobs.c.free_losses),
            progress=null(),
            revision=jobs.c.revision + 1,
        )
        .returning(jobs.c.id, jobs.c.attempt, jobs.c.input, timeout, jobs.c.alone, published_at, referred)
        .cte("claimed")
    )
    return Statement("claim", announced(claimed))


def _explain() -> Statement:
    wanted = rows_given("wanted", {"ids": Uuid})
    return Statement(
        "explain_unclaimed",
        select(
            wanted.c.ids.label("id"),
            worker_is_alive().label("alive"),
            jobs.c.state,
            (jobs.c.available_at <= func.now()).label("due"),
            jobs.c.model,
            jobs.c.version,
        ).select_from(wanted.outerjoin(jobs, jobs.c.id == wanted.c.ids)),
    )


def _put_back() -> Statement:
    entries = locked_entries()
    soon = literal_column(str(LOSS_DELAY), Float)
    entered_at = jobs.c.queue_deadline - jobs.c.queue_ttl
    waited = cast(func.extract("epoch", clock() - entered_at), Float)
    delay = case((_is_served(), soon), else_=func.greatest(soon, func.least(waited, UNSERVED_DELAY_AT_MOST)))
    later = wait_on(clock() + seconds(delay))
    put = update(jobs).where(jobs.c.id == entries.c.id).values(later).returning(jobs.c.id).cte("put")
    return Statement("put_back", announced(put))


def _is_served() -> ColumnElement[bool]:
    """Some live worker has the job's model and version, or loads it."""
    has = (
        workers.c.models.contains(
            func.jsonb_build_array(
                func.jsonb_build_object(
                    *(constant("name"), jobs.c.model),
                    *(constant("version"), jobs.c.version),
                    *(constant("state"), constant(state)),
                )
            )
        )
        for state in (ModelState.READY, ModelState.LOADING)
    )
    return exists(
        select(workers.c.id).where(workers.c.state == constant("alive"), workers.c.lease_until > clock(), or_(*has))
    )


def _start() -> Statement:
    mine = attempts()
    # Judged once, for the rows and for the answer: a heartbeat in between must not make a refusal look like the row's.
    standing = select(worker_is_alive().label("alive")).cte("standing")
    held = locked(held_by(mine), select(standing.c.alive).scalar_subquery())
    changed = (
        update(jobs)
        .where(jobs.c.id == held.c.id)
        .values(
            started_at=case((is_state(JobState.RUNNING), clock()), else_=null()),  # found cancelled: does not start
            free_losses=0,
            revision=jobs.c.revision + 1,
        )
        .returning(jobs.c.id, jobs.c.state)
        .cte("changed")
    )
    answer = announced(changed, standing.c.alive, changed.c.id, changed.c.state)
    return Statement("start", answer.select_from(standing.outerjoin(changed, true())))


_CLAIM = _claim()
_EXPLAIN = _explain()
_PUT_BACK = _put_back()
_START = _start()


async def claim(
    db: Database, worker: UUID, model: str, version: int, ids: Collection[UUID], *, starts: bool = False
) -> list[Claimed]:
    """Takes those of `ids` that are queued, due and for this model version: attempt + 1, and the input with it.

    starts: the child gets them at once, but for those that must run alone; their start is noted with the claim (rule 9).
    """
    rows = await db.fetch(_CLAIM, worker=worker, model=model, version=version, ids=list(ids), starts=starts)
    return [_claimed(row) for row in rows]


def _claimed(row: Mapping[str, Any]) -> Claimed:
    values = {name: row[name] for name in Claimed.__slots__}
    return Claimed(**{**values, "uploads": tuple(Readable(*one) for one in row["uploads"] or ())})


async def explain_unclaimed(
    db: Database, worker: UUID, serves: Collection[tuple[str, int]], ids: Collection[UUID]
) -> dict[UUID, Unclaimed]:
    """Why a claim left these out. serves: the (model, version) pairs that this worker runs."""

    def reason(row: Mapping[str, Any]) -> Unclaimed:
        if not row["alive"]:
            return Unclaimed.WORKER_NOT_ALIVE
        if row["state"] != JobState.QUEUED:
            return Unclaimed.ROW
        if not row["due"]:
            return Unclaimed.NOT_DUE
        return Unclaimed.CLAIMABLE if (row["model"], row["version"]) in serves else Unclaimed.NOT_SERVED

    return {row["id"]: reason(row) for row in await db.fetch(_EXPLAIN, worker=worker, ids=list(ids))}


async def put_back(db: Database, messages: Collection[tuple[UUID, int]]) -> list[UUID]:
    """Re-queues jobs that are not for this worker, or not now, if the message is their entry's; their wait goes on.

    messages: (job id, publish_no) of each.
    """
    ids, numbers = [job_id for job_id, _ in messages], [number for _, number in messages]
    return [row["id"] for row in await db.fetch(_PUT_BACK, id=ids, publish_no=numbers)]


async def start(db: Database, worker: UUID, held: Collection[tuple[UUID, int]]) -> Started:
    """Records, before the child gets the batch, that these (id, attempt) run from now on (rule 9)."""
    ids, numbers = [job_id for job_id, _ in held], [number for _, number in held]
    rows = await db.fetch(_START, worker=worker, id=ids, attempt=numbers)
    found = {state: frozenset(row["id"] for row in rows if row["state"] == state) for state in HELD}
    return Started(found[JobState.RUNNING], found[JobState.CANCELLING], worker_alive=rows[0]["alive"])
