"""The register of uploads: a row says that the blob behind it is whole."""

from collections.abc import Collection
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from shared.database.pool import Database
from shared.database.statement import Statement, each
from shared.database.tables import uploads
from shared.uploads import Upload

_COLUMNS = [uploads.c[name] for name in Upload.__slots__]

_INSERT = Statement(
    "insert_upload",
    insert(uploads).values(
        **{column.name: bindparam(column.name, type_=column.type) for column in _COLUMNS}, created_at=func.now()
    ),
)
_FIND = Statement(
    "find_uploads",
    select(*_COLUMNS).where(uploads.c.id == any_(each("ids", Uuid)), uploads.c.owner == bindparam("owner", type_=Text)),
)


async def insert_upload(db: Database, upload: Upload) -> None:
    """Once its blob is safe. Raises DatabaseUnavailable: then the row may be there, and its blob must stay."""
    await db.fetch(_INSERT, **asdict(upload))


async def find_uploads(db: Database, owner: str, ids: Collection[UUID]) -> dict[UUID, Upload]:
    """Those of them that there are and that are the owner's."""
    return {row["id"]: Upload(**row) for row in await db.fetch(_FIND, owner=owner, ids=list(ids))}
