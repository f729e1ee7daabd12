"""Worker incarnations (rule 6): register, heartbeat, leave."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.catalogue import ServedModel
from shared.database.entries import HELD_JOBS, interval_seconds
from shared.database.fence import WORKER
from shared.database.pool import Database
from shared.database.statement import Statement, clock, constant
from shared.database.storable import storable_json
from shared.database.tables import jobs, workers
from shared.states import JobState


@dataclass(frozen=True, slots=True)
class QueueReport:
    """What a worker says of a queue it pulls from, for rule 11."""

    queue: str
    idle: bool  # free room and nothing but empty pulls for a whole lease
    newest_claimed: datetime | None  # the latest published_at among the jobs it has claimed


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt that the database notes for this incarnation."""

    id: UUID
    attempt: int
    cancelling: bool


_REPORT = {"models": bindparam("models", type_=JSONB), "queues": bindparam("queues", type_=JSONB)}
_LEASE_UNTIL = clock() + interval_seconds("lease")

_REGISTER = Statement(
    "register_worker",
    insert(workers)
    .values(
        id=WORKER,
        name=bindparam("name", type_=Text),
        device=bindparam("device", type_=Text),
        state=constant("alive"),
        started_at=func.now(),
        heartbeat_at=func.now(),
        lease_until=_LEASE_UNTIL,
        **_REPORT,
    )
    .on_conflict_do_nothing(),  # repeated because the first answer was lost
)


def _heartbeat() -> Statement:
    beat = (
        update(workers)
        .where(workers.c.id == WORKER, workers.c.state == constant("alive"))
        .values(heartbeat_at=clock(), lease_until=_LEASE_UNTIL, device=bindparam("device", type_=Text), **_REPORT)
        .returning(workers.c.id)
        .cte("beat")
    )
    held = beat.outerjoin(jobs, (jobs.c.worker == beat.c.id) & HELD_JOBS)
    return Statement("heartbeat", select(jobs.c.id, jobs.c.attempt, jobs.c.state).select_from(held))


_HEARTBEAT = _heartbeat()
_LEAVE = Statement(
    "worker_leaves",
    update(workers)
    .where(workers.c.id == WORKER, workers.c.state == constant("alive"))
    .values(state=constant("stopped")),
)


async def register_worker(
    db: Database, worker: UUID, *, name: str, device: str, lease: float, models: Collection[ServedModel] = ()
) -> None:
    """A new incarnation, alive for `lease` seconds."""
    await db.fetch(
        _REGISTER, worker=worker, name=name, device=device, lease=lease, models=_json_of(list(models)), queues="[]"
    )


async def heartbeat(
    db: Database,
    worker: UUID,
    *,
    device: str,
    lease: float,
    models: Sequence[ServedModel],
    queues: Sequence[QueueReport],
) -> list[Held] | None:
    """Renews the lease. -> every attempt that the database notes for this incarnation; None: it has been declared dead."""
    rows = await db.fetch(
        _HEARTBEAT, worker=worker, device=device, lease=lease, models=_json_of(models), queues=_json_of(queues)
    )
    if not rows:
        return None
    return [Held(row["id"], row["attempt"], row["state"] == JobState.CANCELLING) for row in rows if row["id"]]


async def leave(db: Database, worker: UUID) -> None:
    """The incarnation ends by itself; whatever it still holds is requeued at the next tick."""
    await db.fetch(_LEAVE, worker=worker)


def _json_of(values: Sequence[ServedModel] | Sequence[QueueReport]) -> str:
    return storable_json([asdict(value) for value in values])
