"""Deliveries of webhooks: taken by who is to make them, and what came of each try. All times are the database's (rule 9)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, Float, Integer, Select, Text, Uuid, and_, bindparam, case, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.entries import interval_seconds
from shared.database.fence import MINE, rows_given
from shared.database.pool import Database
from shared.database.statement import Statement, clock, constant, seconds
from shared.database.tables import Timestamp, jobs, webhook_deliveries, webhook_secrets

_d = webhook_deliveries.c
# Looked at in one go. Hosts that have enough of them then are left out the next time, and the others' turn comes.
CANDIDATES = 200


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  # for good


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that this process has leased."""

    id: UUID
    owner: str
    event: str
    url: str
    host: str
    snapshot: str = field(repr=False)  # see `job_of_snapshot`
    tries: int  # made before
    leased_until: datetime  # what the lease is known by
    # The present one, and the one before while it signs along; none: there never was one.
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try. error: in words, None: delivered. again_in: seconds until the next, None: there is none."""

    status: int | None  # of HTTP; None: there was no answer
    error: str | None
    seconds: float  # that it took
    again_in: float | None = None

    @property
    def state(self) -> DeliveryState:
        if self.error is None:
            return DeliveryState.DELIVERED
        return DeliveryState.FAILED if self.again_in is None else DeliveryState.PENDING


@dataclass(frozen=True, slots=True)
class Try:
    """A try as it is kept: when it began, what it was answered, what was wrong, how many seconds it took."""

    at: datetime
    status: int | None
    error: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the owner of the job may see of it."""

    id: UUID
    event: str
    url: str
    state: DeliveryState
    tries: tuple[Try, ...]
    next_try_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


def _lease() -> Statement:
    """Due ones that nobody tries, the longest due first, and of each host only as many as there is room for."""
    is_due = and_(
        _d.state == constant(DeliveryState.PENDING),
        _d.next_try_at <= func.now(),
        or_(_d.leased_until.is_(None), _d.leased_until < func.now()),
    )
    per_host = bindparam("per_host", type_=Integer)
    busy = select(rows_given("calls", {"busy_host": Text, "busy_count": Integer})).cte("busy")
    full = select(busy.c.busy_host).where(busy.c.busy_count >= per_host)
    first = (
        select(_d.id, _d.host, _d.next_try_at)
        .where(is_due, _d.host.not_in(full))
        .order_by(_d.next_try_at)
        .limit(bindparam("candidates", type_=Integer))
        .subquery("first")
    )
    nth = func.row_number().over(partition_by=first.c.host, order_by=first.c.next_try_at)
    fair = select(first.c.id, (nth + func.coalesce(busy.c.busy_count, 0)).label("nth")).select_from(
        first.outerjoin(busy, busy.c.busy_host == first.c.host)
    )
    counted = fair.subquery("fair")
    chosen = (
        select(_d.id)
        .where(_d.id.in_(select(counted.c.id).where(counted.c.nth <= per_host)), is_due)
        .order_by(_d.next_try_at)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    leased = (
        update(webhook_deliveries)
        .where(_d.id == chosen.c.id)
        .values(leased_until=clock() + interval_seconds("lease"))
        .returning(*_d)
        .cte("leased")
    )
    return Statement("lease_deliveries", _with_secrets(leased))


def _with_secrets(leased: CTE) -> Select[Any]:
    row, secrets = leased.c, webhook_secrets.c
    return select(
        *(row.id, row.owner, row.event, row.url, row.host, row.job, row.leased_until),
        func.jsonb_array_length(row.tries).label("tries"),
        secrets.secret,
        case((secrets.previous_until > func.now(), secrets.previous)).label("previous"),
    ).select_from(leased.outerjoin(webhook_secrets, secrets.owner == row.owner))


def _note() -> Statement:
    """Fenced by the lease: who comes after it is over has nothing to say."""
    took, state = bindparam("seconds", type_=Float), bindparam("state", type_=Text)
    pending = state == constant(DeliveryState.PENDING)
    entry = func.jsonb_build_object(
        *(constant("at"), clock() - seconds(took)),
        *(constant("status"), bindparam("status", type_=Integer)),
        *(constant("error"), bindparam("error", type_=Text)),
        *(constant("seconds"), took),
    )
    noted = (
        update(webhook_deliveries)
        .where(_d.id == bindparam("delivery_id", type_=Uuid), _d.leased_until == bindparam("lease", type_=Timestamp))
        .values(
            state=state,
            tries=_d.tries.concat(func.jsonb_build_array(entry, type_=JSONB)),
            leased_until=null(),
            next_try_at=case((pending, clock() + interval_seconds("again_in")), else_=_d.next_try_at),
            finished_at=case((pending, null()), else_=clock()),
            job=case((pending, _d.job), else_=null()),
        )
        .returning(_d.id)
    )
    return Statement("note_delivery", noted)


_LEASE = _lease()
_NOTE = _note()
_SHOWN = (_d.id, _d.event, _d.url, _d.state, _d.tries, _d.next_try_at, _d.created_at, _d.finished_at)
_LIST = Statement(
    "list_deliveries",
    select(*_SHOWN)
    .select_from(jobs.outerjoin(webhook_deliveries, _d.job_id == jobs.c.id))
    .where(*MINE)
    .order_by(_d.created_at, _d.id),
)


async def lease_deliveries(
    db: Database, limit: int, *, per_host: int, busy: Mapping[str, int], lease: float
) -> list[Due]:
    """busy: how many calls this process is making to each host. lease: seconds.

    Fewer than `limit` need not mean that there are no more: ask again until there are none.
    """
    rows = await db.fetch(
        _LEASE,
        limit=limit,
        candidates=CANDIDATES,
        per_host=per_host,
        lease=lease,
        busy_host=list(busy.keys()),
        busy_count=list(busy.values()),
    )
    return [_due(row) for row in rows]


async def note_delivery(db: Database, due: Due, outcome: Outcome) -> bool:
    """-> False: the lease was over, and somebody else's try counts."""
    row = await db.fetch_row(
        _NOTE,
        delivery_id=due.id,
        lease=due.leased_until,
        state=outcome.state,
        status=outcome.status,
        error=outcome.error,
        seconds=outcome.seconds,
        again_in=outcome.again_in or 0.0,
    )
    return row is not None


async def list_deliveries(db: Database, owner: str | None, job_id: UUID) -> list[Delivery] | None:
    """The oldest first; None: no such job of this owner."""
    rows = await db.fetch(_LIST, owner=owner, job_id=job_id)
    return [_delivery(row) for row in rows if row["id"] is not None] if rows else None


def _due(row: Mapping[str, Any]) -> Due:
    named = {name: row[name] for name in ("id", "owner", "event", "url", "host", "tries", "leased_until")}
    secrets = tuple(secret for secret in (row["secret"], row["previous"]) if secret is not None)
    return Due(**named, snapshot=row["job"], secrets=secrets)


def _delivery(row: Mapping[str, Any]) -> Delivery:
    state = DeliveryState(row["state"])
    return Delivery(
        id=row["id"],
        event=row["event"],
        url=row["url"],
        state=state,
        tries=tuple(Try(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in json.loads(row["tries"])),
        next_try_at=row["next_try_at"] if state is DeliveryState.PENDING else None,
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
