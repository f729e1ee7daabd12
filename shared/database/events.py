"""Reading a job's events: moves between states from its row, the rest from `events`, merged in the order of their numbers."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.fence import owned_by, rows_given
from shared.database.pool import Database
from shared.database.statement import Statement, constant
from shared.database.tables import events, jobs
from shared.events import Event, EventPage, EventType
from shared.states import JobState

_LIMIT = bindparam("limit", type_=Integer)


def _moves(after: ColumnElement[int]) -> Select[Any]:
    move = func.jsonb_array_elements(jobs.c.trail).table_valued(column("value", JSONB), name="move").c.value
    seq = cast(move[constant("seq")].astext, Integer)
    data = func.jsonb_build_object(
        *(constant("state"), move[constant("state")]), *(constant("attempt"), move[constant("attempt")]), type_=JSONB
    )
    at = cast(move[constant("at")].astext, DateTime(timezone=True))
    return select(seq.label("seq"), constant(EventType.STATE).label("type"), at.label("at"), data.label("data")).where(
        seq > after
    )


def _sayings(after: ColumnElement[int]) -> Select[Any]:
    """Limited by itself, so that of many only these are looked at."""
    rows = select(events.c.seq, events.c.type, events.c.at, events.c.data)
    mine = rows.where(events.c.job_id == jobs.c.id, events.c.seq > after).correlate_except(events)
    return select(mine.order_by(events.c.seq).limit(_LIMIT).subquery("said"))


def _read() -> Statement:
    wanted = rows_given("wanted", {"place": Integer, "owner": Text, "job_id": Uuid, "after": Integer})
    both = union_all(_moves(wanted.c.after).correlate(jobs, wanted), _sayings(wanted.c.after)).subquery("both")
    merged = select(both.c.seq, both.c.type, both.c.at, both.c.data).order_by(both.c.seq).limit(_LIMIT).lateral("event")
    mine = owned_by(wanted.c.owner) & (jobs.c.id == wanted.c.job_id)
    columns = (wanted.c.place, wanted.c.after, jobs.c.state, jobs.c.last_seq, *merged.c)
    rows = select(*columns).select_from(wanted.join(jobs, mine).outerjoin(merged, true()))
    return Statement("read_events", rows.order_by(wanted.c.place, merged.c.seq))


def _news() -> Statement:
    known = rows_given("known", {"job_id": Uuid, "seq": Integer})
    there = known.outerjoin(jobs, jobs.c.id == known.c.job_id)
    news = or_(jobs.c.id.is_(None), jobs.c.last_seq > known.c.seq)
    return Statement("find_event_news", select(known.c.job_id).select_from(there).where(news))


_READ = _read()
_NEWS = _news()


async def read_events(
    db: Database, wanted: Sequence[tuple[str | None, UUID, int]], limit: int
) -> list[EventPage | None]:
    """wanted: (owner, job id, after which number). -> in that order, at most `limit` each; None: not there, or another's."""
    rows = await db.fetch(
        _READ,
        place=list(range(len(wanted))),
        owner=[owner for owner, _, _ in wanted],
        job_id=[job_id for _, job_id, _ in wanted],
        after=[after for _, _, after in wanted],
        limit=limit,
    )
    pages = {place: _page(list(part)) for place, part in groupby(rows, key=lambda row: int(row["place"]))}
    return [pages.get(place) for place in range(len(wanted))]


async def find_event_news(db: Database, known: Mapping[UUID, int]) -> Collection[UUID]:
    """known: the number that somebody has of a job. -> the jobs with newer events, and those that are gone."""
    return [row["job_id"] for row in await db.fetch(_NEWS, job_id=list(known), seq=list(known.values()))]


def _page(rows: Sequence[Any]) -> EventPage:
    found = tuple(Event(row["seq"], EventType(row["type"]), row["at"], row["data"]) for row in rows if row["seq"])
    first = rows[0]
    complete = first["last_seq"] <= (found[-1].seq if found else first["after"])
    return EventPage(found, complete, complete and JobState(first["state"]).finished)
