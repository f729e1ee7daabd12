"""What webhooks are signed with: made once, rotated, each owner's own."""

import asyncio
import base64
from datetime import timedelta

import pytest

from shared.database.pool import Database
from shared.database.webhook_secrets import get_webhook_secret, rotate_webhook_secret
from tests.contract.database.stage import Stage, new_id


@pytest.fixture
def owner() -> str:
    return str(new_id())


async def test_a_secret_is_made_when_it_is_asked_for(db: Database, owner: str) -> None:
    """As the standard wants it: whsec_ and the base64 of 24 to 64 random bytes."""
    first = await get_webhook_secret(db, owner)
    assert first.secret.startswith("whsec_")
    assert len(base64.b64decode(first.secret.removeprefix("whsec_"), validate=True)) == 32
    assert first.previous_until is None
    assert await get_webhook_secret(db, owner) == first


async def test_all_who_ask_at_once_get_the_same(db: Database, owner: str) -> None:
    found = await asyncio.gather(*(get_webhook_secret(db, owner) for _ in range(8)))
    assert len({one.secret for one in found}) == 1


async def test_owners_have_different_ones(db: Database, owner: str) -> None:
    assert (await get_webhook_secret(db, owner)).secret != (await get_webhook_secret(db, str(new_id()))).secret


async def test_a_rotation_keeps_the_one_before_for_a_while(db: Database, owner: str) -> None:
    first = await get_webhook_secret(db, owner)
    second = await rotate_webhook_secret(db, owner, 60.0)
    assert second.secret != first.secret
    assert second.previous_until is not None
    assert second.previous_until - second.created_at == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=1))
    assert await get_webhook_secret(db, owner) == second


async def test_the_one_before_is_over_after_a_while(db: Database, stage: Stage, owner: str) -> None:
    await rotate_webhook_secret(db, owner, 60.0)
    await rotate_webhook_secret(db, owner, 60.0)
    assert (await get_webhook_secret(db, owner)).previous_until is not None
    await stage.connection.execute("UPDATE webhook_secrets SET previous_until = now() - interval '1 s'")
    assert (await get_webhook_secret(db, owner)).previous_until is None


async def test_a_rotation_makes_the_first_one_too(db: Database, owner: str) -> None:
    first = await rotate_webhook_secret(db, owner, 60.0)
    assert first.previous_until is None
    assert await get_webhook_secret(db, owner) == first


async def test_nobody_sees_it_in_a_log(db: Database, owner: str) -> None:
    secret = await get_webhook_secret(db, owner)
    assert secret.secret not in repr(secret)
    assert secret.secret not in f"{secret}"
