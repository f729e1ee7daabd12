"""How a row changes state: the values that rules 1, 2, 8, 9 and 10 ask for, written once and used by every statement.

A *verdict* is a table expression (a CTE or subquery) with a row for each job that is to leave `running` or `cancelling`:
its id, what kind of end its attempt had, and what the row becomes.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CTE,
    JSON,
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from shared.database.statement import clock, constant, seconds
from shared.database.tables import jobs
from shared.states import JobState

CHANNEL = "torchrelay_jobs"
# A NOTIFY of more than 8,000 bytes is an error that rolls the statement back; an id and its comma are 37.
IDS_PER_NOTIFICATION = 200

# A result stands in its row, or the row points at the blob that it is.
RESULT = {"result": JSON, "result_key": Text, "result_size": BigInteger, "result_sha256": Text}

# A child that dies while loading costs a job nothing, but only so many times in a row (rule 9).
FREE_LOSSES = 3
# Back-off of a charged attempt: BASE * 2 ** (charged - 1), at most MAX, times 0.5 to 1.5 so that jobs do not march in step.
BACKOFF_BASE = 2.0
BACKOFF_MAX = 600.0
# What was lost before its start was hardly its fault: soon, but not in a tight loop.
LOSS_DELAY = 2.0


class Ending(StrEnum):
    """How an attempt ended, in the words of rules 8 to 10. What the row becomes depends on the row, too."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # for good: trying again would not help
    RETRYABLE = "retryable"  # charged, with back-off, until the budget is used up
    LOST = "lost"  # its worker or child died after the start: charged only if it ran alone on purpose
    LOST_UNSTARTED = "lost_unstarted"  # died before the start: charged only after FREE_LOSSES in a row
    CROWDED_OUT = "crowded_out"  # its batch timed out: uncharged, and alone the next time
    HANDED_BACK = "handed_back"  # nobody's fault: uncharged
    STOPPED = "stopped"  # cancelled, and the work has really stopped


def is_state(*states: JobState) -> ColumnElement[bool]:
    """`state` is one of these, written so that the partial indexes serve."""
    if len(states) == 1:
        return jobs.c.state == constant(states[0])
    return jobs.c.state.in_([constant(state) for state in sorted(states)])


HELD_JOBS = is_state(JobState.RUNNING, JobState.CANCELLING)


def moved(
    state: ColumnElement[str],
    attempt: ColumnElement[int] = jobs.c.attempt,
    at: ColumnElement[Any] | None = None,
) -> dict[str, Any]:
    """What every move to another state adds to the row's trail of events, in the same write. at: now, unless given."""
    event = func.jsonb_build_object(
        *(constant("seq"), jobs.c.last_seq + 1),
        *(constant("at"), clock() if at is None else at),
        *(constant("state"), state),
        *(constant("attempt"), attempt),
    )
    trail = jobs.c.trail.concat(func.jsonb_build_array(event, type_=JSONB))
    return {"last_seq": jobs.c.last_seq + 1, "trail": trail}


def finished(state: ColumnElement[str]) -> dict[str, Any]:
    """What every end of a job sets besides its state. A result goes before its row does."""
    return {"finished_at": clock(), "purge_at": clock() + kept_for(state)}


def kept_for(state: ColumnElement[str]) -> ColumnElement[Any]:
    """How long after its end something of a job goes for the first time."""
    keeps = case((state == constant(JobState.SUCCEEDED), jobs.c.result_retention), else_=jobs.c.row_retention)
    return func.least(keeps, jobs.c.row_retention)


def enter_queued(available_at: ColumnElement[Any]) -> dict[str, Any]:
    """Rule 2: every way into `queued` sets all of this. The deadline starts when the back-off ends."""
    return {
        "state": constant(JobState.QUEUED),
        "published_at": null(),
        "publish_leased_until": null(),
        "publish_no": jobs.c.publish_no + 1,
        "republished": 0,
        "worker": null(),
        "finished_at": null(),
        "purge_at": null(),
        "started_at": null(),
        "progress": null(),
        "error": null(),
        "available_at": available_at,
        "queue_deadline": available_at + jobs.c.queue_ttl,
        "revision": jobs.c.revision + 1,
    }


def wait_on(available_at: ColumnElement[Any]) -> dict[str, Any]:
    """Rule 2, of a job that is `queued` and stays it: another entry, to be published again, but the same wait.

    Else one that nobody serves, put back again and again, would never expire.
    """
    return {name: value for name, value in enter_queued(available_at).items() if name != "queue_deadline"}


def forget_publication() -> dict[str, Any]:
    """Rule 2: whoever clears `published_at` raises `publish_no`, stamped or not, so that no late stamp can mark it again."""
    return {"published_at": null(), "publish_leased_until": null(), "publish_no": jobs.c.publish_no + 1}


def verdict_columns(kind: ColumnElement[str]) -> list[ColumnElement[Any]]:
    """The row's fate, given the kind of end: to be selected together with the locked row."""
    charge = or_(
        kind == constant(Ending.RETRYABLE),
        and_(kind == constant(Ending.LOST), jobs.c.alone),
        and_(kind == constant(Ending.LOST_UNSTARTED), jobs.c.free_losses >= FREE_LOSSES),
    )
    exhausted = and_(charge, jobs.c.charged + 1 >= jobs.c.max_attempts)
    becomes = case(
        (kind == constant(Ending.SUCCEEDED), constant(JobState.SUCCEEDED)),
        (is_state(JobState.CANCELLING), constant(JobState.CANCELLED)),  # rule 8: never back to queued
        (kind == constant(Ending.STOPPED), constant(JobState.CANCELLED)),
        (or_(kind == constant(Ending.FAILED), exhausted), constant(JobState.FAILED)),
        else_=constant(JobState.QUEUED),
    )
    charged = and_(charge, ~is_state(JobState.CANCELLING))
    return [becomes.label("becomes"), charged.label("charge"), _delay(kind, charged).label("delay")]


def apply_verdict(verdict: CTE) -> Update:
    """Ends attempts: needs id, kind, code, message, retryable, RESULT and verdict_columns in `verdict`, its rows locked."""
    v = verdict.c
    queued = v.becomes == constant(JobState.QUEUED)
    bad = v.kind.not_in([constant(Ending.SUCCEEDED), constant(Ending.HANDED_BACK), constant(Ending.STOPPED)])
    entering = enter_queued(clock() + seconds(v.delay))
    values: dict[str, Any] = {name: case((queued, value), else_=jobs.c[name]) for name, value in entering.items()}
    failed = v.becomes == constant(JobState.FAILED)
    succeeded = v.becomes == constant(JobState.SUCCEEDED)
    values |= {name: case((queued, null()), else_=value) for name, value in finished(v.becomes).items()}
    values |= {name: case((succeeded, v[name]), else_=null()) for name in RESULT}
    values |= moved(v.becomes)
    values |= {
        "state": v.becomes,
        "worker": null(),
        "progress": case((queued, null()), else_=jobs.c.progress),
        "error": case((failed, _error(v.code, v.message, v.retryable)), else_=null()),
        "charged": jobs.c.charged + cast(v.charge, Integer),
        "free_losses": jobs.c.free_losses + cast(v.kind == constant(Ending.LOST_UNSTARTED), Integer),
        "alone": or_(jobs.c.alone, v.kind.in_([constant(Ending.LOST), constant(Ending.CROWDED_OUT)])),
        "history": case((bad, jobs.c.history.concat(_attempt(v.code, v.message))), else_=jobs.c.history),
        "revision": jobs.c.revision + 1,
    }
    return update(jobs).where(jobs.c.id == v.id).values(values)


def _delay(kind: ColumnElement[str], charged: ColumnElement[bool]) -> ColumnElement[float]:
    """Seconds until the job may be claimed again. Drawn once, in the verdict: the deadline must follow the same draw."""
    return case(
        (charged, _backoff()),
        (kind == constant(Ending.LOST_UNSTARTED), literal_column(str(LOSS_DELAY), Float)),
        else_=literal_column("0.0", Float),
    )


def _backoff() -> ColumnElement[Any]:
    doubled = func.least(
        literal_column(str(BACKOFF_BASE), Float) * func.power(2.0, func.least(jobs.c.charged, 20)), BACKOFF_MAX
    )
    return doubled * (0.5 + func.random())


def _error(code: ColumnElement[str], message: ColumnElement[str], retryable: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.jsonb_build_object(
        constant("code"), code, constant("message"), message, constant("retryable"), retryable, type_=JSONB
    )


def _attempt(code: ColumnElement[str], message: ColumnElement[str]) -> ColumnElement[Any]:
    """One entry of `history`, as the row stands before it changes."""
    return func.jsonb_build_array(
        func.jsonb_build_object(
            *(constant("attempt"), jobs.c.attempt),
            *(constant("worker"), jobs.c.worker),
            *(constant("started_at"), jobs.c.started_at),
            *(constant("ended_at"), clock()),
            *(constant("code"), code),
            *(constant("message"), message),
        ),
        type_=JSONB,
    )


def announced(changed: CTE, *columns: ColumnElement[Any]) -> Select[Any]:
    """Selects from the CTE of changed jobs, and tells the listeners their ids in the same commit."""
    numbered = select(changed.c.id, ((func.row_number().over() - 1) // IDS_PER_NOTIFICATION).label("chunk")).subquery()
    ids = func.string_agg(cast(numbered.c.id, Text), aggregate_order_by(constant(","), numbered.c.id))
    sent = select(func.pg_notify(constant(CHANNEL), ids).label("sent")).group_by(numbered.c.chunk).subquery()
    count = select(func.count(cast(sent.c.sent, Text))).scalar_subquery()
    return select(*(columns or changed.c), count.label("notifications"))


def error_object(code: str, message: str, *, retryable: bool) -> ColumnElement[Any]:
    """An error with constant text, for statements that fail jobs by themselves."""
    return _error(constant(code), constant(message), true() if retryable else false())


def interval_seconds(name: str) -> ColumnElement[Any]:
    """A parameter given in seconds."""
    return seconds(bindparam(name, type_=Float))
