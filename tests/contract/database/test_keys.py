"""API keys: made, found, listed, revoked; their secrets are nowhere."""

import re

import pytest

from shared.database.keys import create_key, find_keys, list_keys, parse_key, revoke_key
from shared.database.pool import Database
from tests.contract.database.stage import new_id


@pytest.fixture
def owner() -> str:
    return str(new_id())


async def test_a_key_is_found_with_what_it_was_made_with(db: Database, owner: str) -> None:
    new = await create_key(db, owner, {"submit", "read"}, "a laptop")
    (found,) = await find_keys(db, [new.key.id])
    assert found is not None
    assert found == new.key
    assert (found.owner, found.name, found.scopes, found.revoked_at) == (owner, "a laptop", ("read", "submit"), None)


async def test_a_key_has_256_random_bits_and_opens_with_them_only(db: Database, owner: str) -> None:
    new = await create_key(db, owner, {"read"}, "")
    match = re.fullmatch(r"trk_([0-9a-f]{16})_([0-9a-f]{64})", new.text)
    assert match
    assert match[1] == new.key.id
    assert new.key.has_secret(match[2])
    assert not new.key.has_secret(match[2][:-1])
    assert not new.key.has_secret("é")


async def test_a_secret_is_neither_stored_nor_shown(db: Database, owner: str) -> None:
    new = await create_key(db, owner, {"read"}, "")
    secret = new.text.rpartition("_")[2]
    assert bytes.fromhex(secret) not in new.key.secret_sha256
    assert secret not in repr(new)
    assert repr(new.key.secret_sha256) not in repr(new)


async def test_a_revoked_key_is_still_listed_and_keeps_its_time(db: Database, owner: str) -> None:
    new = await create_key(db, owner, {"read"}, "")
    first = await revoke_key(db, new.key.id)
    assert first is not None
    assert first.revoked_at is not None
    assert await revoke_key(db, new.key.id) == first
    assert first in await list_keys(db)
    assert await find_keys(db, [new.key.id]) == [first]


async def test_a_key_that_there_is_not_is_not_found(db: Database, owner: str) -> None:
    assert await find_keys(db, [owner]) == [None]
    assert await revoke_key(db, owner) is None


async def test_keys_are_found_together_in_the_order_asked_for(db: Database, owner: str) -> None:
    first, second = [(await create_key(db, owner, {"read"}, "")).key for _ in range(2)]
    assert await find_keys(db, [second.id, owner, first.id, second.id]) == [second, None, first, second]


async def test_a_key_is_taken_apart(db: Database, owner: str) -> None:
    new = await create_key(db, owner, {"read"}, "")
    parts = parse_key(new.text)
    assert parts is not None
    assert parts[0] == new.key.id
    assert new.key.has_secret(parts[1])


@pytest.mark.parametrize("text", ["", "trk", "trk_abc_wrong", "Trk_" + "0" * 16 + "_" + "0" * 64])
def test_what_is_none_of_ours_is_not_taken_apart(text: str) -> None:
    assert parse_key(text) is None
    assert parse_key("trk_" + "0" * 16 + "_" + "0" * 64 + "\n") is None
