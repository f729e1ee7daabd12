"""What a running attempt says: its progress, logs and metrics, fenced like its settlement."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    exists,
    func,
    insert,
    not_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.entries import announced
from shared.database.fence import attempts, held_by, locked, rows_given
from shared.database.pool import Database
from shared.database.statement import Statement, clock, constant, seconds
from shared.database.storable import storable_json
from shared.database.tables import events, jobs
from shared.events import EventType, NewEvent
from shared.job import Progress

ROWS_PER_STATEMENT = 5_000  # about a tenth of a second, and a few MB of parameters

CLOSING = "this job has as many events as one may have: the rest is left out"


@dataclass(frozen=True, slots=True)
class AttemptEvents:
    """What an attempt has said since the last time, in that order. progress: the latest, for the job itself."""

    id: UUID
    attempt: int
    events: Sequence[NewEvent]
    progress: Progress | None = None


_GIVEN = {"of": Uuid, "by": Integer, "place": Integer, "type": Text, "age": Float, "data": JSONB}
# Numbers below it are for everybody; what a model says does not get others. The first that would is the closing event.
_CAP = bindparam("cap", type_=Integer)


def _held() -> CTE:
    """The attempts that are still held, and `first`: the place of the first event that finds no room any more."""
    mine = attempts({"progress": JSONB, "count": Integer})
    closed = exists(select(events.c.seq).where(events.c.job_id == jobs.c.id, events.c.seq >= _CAP))
    columns = (
        jobs.c.last_seq,
        *(mine.c[name] for name in ("attempt", "progress", "count")),
        func.greatest(_CAP - jobs.c.last_seq, 1, type_=Integer).label("first"),
        and_(jobs.c.last_seq >= _CAP, closed).label("closed"),
    )
    return locked(held_by(mine), columns=columns)


def _closes(held: CTE) -> ColumnElement[bool]:
    return and_(held.c["count"] >= held.c.first, not_(held.c.closed))


def _rows(held: CTE) -> Select[tuple[object, ...]]:
    given = rows_given("given", _GIVEN)
    return select(
        held.c.id,
        (held.c.last_seq + given.c.place).label("seq"),
        given.c.type,
        (clock() - seconds(given.c.age)).label("at"),
        held.c.attempt,
        given.c.data,
    ).where(given.c.of == held.c.id, given.c.by == held.c.attempt, given.c.place < held.c.first)


def _closing_rows(held: CTE) -> Select[tuple[object, ...]]:
    return select(
        held.c.id,
        (held.c.last_seq + held.c.first).label("seq"),
        constant(EventType.LOG).label("type"),
        clock().label("at"),
        held.c.attempt,
        func.jsonb_build_object(
            *(constant("level"), constant("warning"), constant("message"), constant(CLOSING)), type_=JSONB
        ).label("data"),
    ).where(_closes(held))


def _write() -> Statement:
    held = _held()
    rows = union_all(_rows(held), _closing_rows(held))
    written = insert(events).from_select(list(events.c.keys()), rows).cte("written")
    fit = func.least(held.c["count"], held.c.first - 1, type_=Integer)
    news = and_(held.c.progress.is_not(None), held.c.progress.is_distinct_from(jobs.c.progress))
    changed = (
        update(jobs)
        .where(jobs.c.id == held.c.id)
        .values(
            last_seq=jobs.c.last_seq + fit + cast(_closes(held), Integer),
            progress=func.coalesce(held.c.progress, jobs.c.progress),
            revision=jobs.c.revision + cast(news, Integer),
        )
        .returning(jobs.c.id)
        .cte("changed")
    )
    return Statement("write_events", announced(changed).add_cte(written))


_WRITE = _write()


async def write_events(db: Database, said: Sequence[AttemptEvents], cap: int) -> set[UUID]:
    """-> the jobs that their attempt still held; of the others nothing is written (rule 1).

    cap: events of these get numbers below it, then one says that the rest is left out. Progress is shown beyond it, too.
    """
    held = set[UUID]()
    for part in _parts(said):
        given = [(one, place, event) for one in part for place, event in enumerate(one.events, start=1)]
        rows = await db.fetch(
            _WRITE,
            id=[one.id for one in part],
            attempt=[one.attempt for one in part],
            progress=[one.progress and storable_json(asdict(one.progress)) for one in part],
            count=[len(one.events) for one in part],
            of=[one.id for one, _, _ in given],
            by=[one.attempt for one, _, _ in given],
            place=[place for _, place, _ in given],
            type=[event.type for _, _, event in given],
            age=[event.age for _, _, event in given],
            data=[storable_json(event.data) for _, _, event in given],
            cap=cap,
        )
        held |= {row["id"] for row in rows}
    return held


def _parts(said: Sequence[AttemptEvents]) -> list[list[AttemptEvents]]:
    """Each of about ROWS_PER_STATEMENT events, an attempt's together."""
    numbered, rows = list[tuple[int, AttemptEvents]](), 0
    for one in said:
        numbered.append((rows // ROWS_PER_STATEMENT, one))
        rows += len(one.events)
    return [[one for _, one in part] for _, part in groupby(numbered, key=lambda pair: pair[0])]
