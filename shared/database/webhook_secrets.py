"""What an owner's webhooks are signed with. Kept readable: whoever signs needs it."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, bindparam, case, func, select
from sqlalchemy.dialects.postgresql import Insert, insert

from shared.database.entries import interval_seconds
from shared.database.pool import Database
from shared.database.statement import Statement, clock
from shared.database.tables import webhook_secrets

_s = webhook_secrets.c
_BYTES = 32  # the standard asks for 24 to 64


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """previous_until: how long the one before signs along, None: there is none that does."""

    secret: str
    created_at: datetime
    previous_until: datetime | None

    def __repr__(self) -> str:
        return f"WebhookSecret(created_at={self.created_at})"  # never in a log


def _new() -> Insert:
    return insert(webhook_secrets).values(
        owner=bindparam("owner", type_=Text), secret=bindparam("secret", type_=Text), created_at=clock()
    )


_SHOWN = (_s.secret, _s.created_at, case((_s.previous_until > func.now(), _s.previous_until)).label("previous_until"))
_GET = Statement("get_webhook_secret", select(*_SHOWN).where(_s.owner == bindparam("owner", type_=Text)))
# Who comes second changes nothing, but gets the first one's.
_MAKE = Statement(
    "make_webhook_secret",
    (new := _new())
    .on_conflict_do_update(index_elements=[_s.owner], set_={"owner": new.excluded.owner})
    .returning(*_SHOWN),
)
_ROTATE = Statement(
    "rotate_webhook_secret",
    (new := _new())
    .on_conflict_do_update(
        index_elements=[_s.owner],
        set_={
            "secret": new.excluded.secret,
            "previous": _s.secret,
            "previous_until": clock() + interval_seconds("overlap"),
            "created_at": new.excluded.created_at,
        },
    )
    .returning(*_SHOWN),
)


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


async def get_webhook_secret(db: Database, owner: str) -> WebhookSecret:
    """Made when it is first asked for; the same one for everybody who asks at once."""
    row = await db.fetch_row(_GET, owner=owner) or await db.fetch_row(_MAKE, owner=owner, secret=new_secret())
    assert row is not None
    return WebhookSecret(**row)


async def rotate_webhook_secret(db: Database, owner: str, overlap: float) -> WebhookSecret:
    """overlap: seconds that the one before signs along. The one before that no longer does."""
    row = await db.fetch_row(_ROTATE, owner=owner, secret=new_secret(), overlap=overlap)
    assert row is not None
    return WebhookSecret(**row)
