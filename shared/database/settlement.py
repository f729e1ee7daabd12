"""The end of a running attempt."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Boolean, Text

from shared.database.endings import TOLD, ended
from shared.database.entries import IDS_PER_NOTIFICATION, RESULT, Ending, apply_verdict, verdict_columns
from shared.database.fence import attempts, held_by, locked
from shared.database.pool import Database
from shared.database.statement import Statement
from shared.database.storable import storable
from shared.database.tables import jobs
from shared.job import JsonText
from shared.states import ErrorCode, JobState

# Of results in one statement. 200 MB take longer than a statement may, on their way or there.
MOST_AT_ONCE = 2 * 1024 * 1024  # characters: 8 MiB at most


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of one attempt, as its worker saw it."""

    id: UUID
    attempt: int
    kind: Ending
    result: JsonText | None = None
    result_key: str | None = None  # of the blob that holds it instead
    result_size: int | None = None  # bytes
    result_sha256: str | None = None
    code: ErrorCode | None = None
    message: str | None = None
    retryable: bool = False


_KINDS = {"kind": Text, **RESULT, "code": Text, "message": Text, "retryable": Boolean}


def _settle() -> Statement:
    mine = attempts(_KINDS)
    given = tuple(mine.c[name] for name in _KINDS)
    verdict = locked(held_by(mine), columns=(*given, *verdict_columns(mine.c.kind)))
    settled = apply_verdict(verdict).returning(jobs.c.id, jobs.c.state, *TOLD).cte("settled")
    return Statement("settle", ended(settled))


_SETTLE = _settle()


async def settle(db: Database, settlements: Sequence[Settlement]) -> dict[UUID, JobState]:
    """-> the new state of each job that this attempt still held. One that is missing belongs to a newer attempt (rule 1)."""
    states: dict[UUID, JobState] = {}
    for part in in_parts(settlements):
        columns = {name: [getattr(item, name) for item in part] for name in Settlement.__slots__}
        columns |= {"code": [_code(item) for item in part], "message": [storable(item.message or "") for item in part]}
        states |= {row["id"]: JobState(row["state"]) for row in await db.fetch(_SETTLE, **columns)}
    return states


def in_parts(settlements: Sequence[Settlement]) -> Iterator[Sequence[Settlement]]:
    """As many as one statement takes: so many, and so much of results, or one."""
    part: list[Settlement] = []
    size = 0
    for settlement in settlements:
        more = len(settlement.result or "")
        if part and (len(part) == IDS_PER_NOTIFICATION or size + more > MOST_AT_ONCE):
            yield part
            part, size = [], 0
        part.append(settlement)
        size += more
    if part:
        yield part


def _code(settlement: Settlement) -> ErrorCode:
    """A bad end always has one: without it the job could not be read back."""
    lost = settlement.kind in {Ending.LOST, Ending.LOST_UNSTARTED}
    return settlement.code or (ErrorCode.WORKER_LOST if lost else ErrorCode.MODEL_ERROR)
