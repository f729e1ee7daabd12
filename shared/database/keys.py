"""API keys: `trk_<id>_<secret>`. Only a hash of the secret is stored, so that nobody who reads the table can use one."""

import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ARRAY, LargeBinary, Text, any_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.database.pool import Database
from shared.database.statement import Statement, clock, each
from shared.database.tables import api_keys

PREFIX = "trk"
_ID_BYTES = 8  # only told apart by it: what is guessed is the secret
_SECRET_BYTES = 32  # 256 random bits: a plain hash of so many needs no salt, and nothing slow
_TEXT = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * _ID_BYTES}}})_([0-9a-f]{{{2 * _SECRET_BYTES}}})")

_k = api_keys.c


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is stored of a key. revoked_at None: it is good."""

    id: str
    owner: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None
    secret_sha256: bytes = field(repr=False)

    def has_secret(self, secret: str) -> bool:
        """Takes as long whatever is wrong with it."""
        return hmac.compare_digest(_digest(secret), self.secret_sha256)


@dataclass(frozen=True, slots=True)
class NewKey:
    """text: all of the key, for whoever asked for it; it is not kept anywhere."""

    key: ApiKey
    text: str = field(repr=False)


_COLUMNS = (_k.id, _k.owner, _k.name, _k.scopes, _k.created_at, _k.revoked_at, _k.secret_sha256)
_ID = bindparam("id", type_=Text)
_CREATE = Statement(
    "create_key",
    insert(api_keys)
    .values(
        id=_ID,
        owner=bindparam("owner", type_=Text),
        name=bindparam("name", type_=Text),
        scopes=bindparam("scopes", type_=ARRAY(Text)),
        secret_sha256=bindparam("secret_sha256", type_=LargeBinary),
        created_at=clock(),
    )
    .returning(*_COLUMNS),
)
_FIND = Statement("find_keys", select(*_COLUMNS).where(_k.id == any_(each("ids", Text))))
_LIST = Statement("list_keys", select(*_COLUMNS).order_by(_k.created_at, _k.id))
# The first time counts: when it was revoked is not changed by revoking it again.
_REVOKE = Statement(
    "revoke_key",
    update(api_keys).where(_k.id == _ID).values(revoked_at=func.coalesce(_k.revoked_at, clock())).returning(*_COLUMNS),
)


async def create_key(db: Database, owner: str, scopes: Collection[str], name: str) -> NewKey:
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES)
    row = await db.fetch_row(
        _CREATE, id=key_id, owner=owner, name=name, scopes=sorted(scopes), secret_sha256=_digest(secret)
    )
    assert row is not None
    return NewKey(_key_of(dict(row)), f"{PREFIX}_{key_id}_{secret}")


def parse_key(text: str) -> tuple[str, str] | None:
    """-> (id, secret); None: it is none of ours."""
    match = _TEXT.fullmatch(text)
    return None if match is None else (match[1], match[2])


async def find_keys(db: Database, ids: Sequence[str]) -> list[ApiKey | None]:
    """In the order given, also those that are revoked. None: there is no such key."""
    found = {row["id"]: _key_of(dict(row)) for row in await db.fetch(_FIND, ids=list(ids))}
    return [found.get(key_id) for key_id in ids]


async def list_keys(db: Database) -> list[ApiKey]:
    """The oldest first, with those that are revoked."""
    return [_key_of(dict(row)) for row in await db.fetch(_LIST)]


async def revoke_key(db: Database, key_id: str) -> ApiKey | None:
    """May be repeated. None: there is no such key."""
    row = await db.fetch_row(_REVOKE, id=key_id)
    return None if row is None else _key_of(dict(row))


def _key_of(row: dict[str, object]) -> ApiKey:
    return ApiKey(**{**row, "scopes": tuple(row["scopes"])})  # type: ignore[arg-type]  # a record's values


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
