"""What reached the dead-letter topic and cannot be read: kept for people to look at."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import LargeBinary, Text, Uuid, bindparam, func
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.database.pool import Database
from shared.database.statement import Statement
from shared.database.storable import storable, storable_json
from shared.database.tables import dead_letters

_KEEP = Statement(
    "keep_dead_letter",
    insert(dead_letters)
    .values(
        id=bindparam("id", type_=Uuid),
        queue=bindparam("queue", type_=Text),
        data=bindparam("data", type_=LargeBinary),
        attributes=bindparam("attributes", type_=JSONB),
        reason=bindparam("reason", type_=Text),
        received_at=func.now(),
    )
    .on_conflict_do_nothing(),
)


async def keep_dead_letter(
    db: Database, letter: UUID, queue: str, data: bytes, attributes: Mapping[str, str], reason: str
) -> None:
    """letter: the same id at each delivery; it is kept once."""
    await db.fetch(
        _KEEP,
        id=letter,
        queue=queue,
        data=data,
        attributes=storable_json(dict(attributes)),
        reason=storable(reason),
    )
