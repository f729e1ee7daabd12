"""Keys as they were less than a second ago, at a bounded cost."""

import asyncio

import pytest

from api_service.authentication import known_keys
from api_service.authentication.known_keys import LIFETIME, PAUSE
from api_service.caller import Caller, Scope
from api_service.errors import InvalidToken
from shared.errors import DatabaseUnavailable
from tests.unit.api_service.authentication.key_table import SECRET, KeyTable, key_id, text


@pytest.fixture
def table() -> KeyTable:
    return KeyTable()


async def refused(table: KeyTable, given: str) -> str:
    with pytest.raises(InvalidToken) as refusal:
        await table.known.caller(given)
    return str(refusal.value)


async def test_a_key_is_its_owners_with_its_scopes(table: KeyTable) -> None:
    given = table.add(1, "ann", ["read", "a scope of a later version"])

    assert await table.known.caller(given) == Caller("ann", frozenset({Scope.READ}))


async def test_a_key_that_is_used_all_the_time_is_read_once_in_its_lifetime(table: KeyTable) -> None:
    given = table.add(1)
    for _ in range(100):
        await table.known.caller(given)
    table.now += LIFETIME - 0.01
    await table.known.caller(given)
    assert len(table.asked) == 1

    table.now += 0.01
    await table.known.caller(given)

    assert len(table.asked) == 2


async def test_a_revoked_key_is_refused_within_a_second(table: KeyTable) -> None:
    given = table.add(1)
    await table.known.caller(given)
    table.revoke(1)
    table.now += LIFETIME
    assert LIFETIME < 1

    await refused(table, given)


async def test_a_revocation_while_the_key_is_being_read_counts_from_before_the_reading(table: KeyTable) -> None:
    given = table.add(1)
    table.open.clear()
    reading = asyncio.create_task(table.known.caller(given))
    while not table.asked:
        await asyncio.sleep(0)
    table.revoke(1)
    table.now += LIFETIME  # the answer takes this long
    table.open.set()
    await reading

    await refused(table, given)


async def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(table: KeyTable) -> None:
    good = table.add(1)
    table.add(2)
    table.revoke(2)

    told = {
        await refused(table, given)
        for given in (text(1, "cd" * 32), text(2), text(3), "trk_abc_wrong", good.upper(), good + " ", "")
    }

    assert len(told) == 1
    assert SECRET not in told.pop()


async def test_a_wrong_secret_costs_no_more_than_the_right_one(table: KeyTable) -> None:
    table.add(1)
    for number in range(100):
        await refused(table, text(1, f"{number:064x}"))

    assert len(table.asked) == 1


async def test_what_cannot_be_a_key_costs_nothing(table: KeyTable) -> None:
    for given in ("trk_abc_wrong", "x" * 10_000, "trk_", "\xff"):
        await refused(table, given)

    assert table.asked == []


async def test_guesses_are_looked_up_together_and_seldom(table: KeyTable) -> None:
    began = table.now
    guesses = 0
    while table.now < began + 1:
        await asyncio.gather(*(refused(table, text(guesses + n)) for n in range(1000)))
        guesses += 1000

    assert guesses >= 10_000
    assert len(table.asked) <= 1 / PAUSE + 2


async def test_an_old_key_that_is_sent_again_and_again_is_looked_up_once_in_a_lifetime(table: KeyTable) -> None:
    for _ in range(100):
        await refused(table, text(7))
    assert len(table.asked) == 1


async def test_a_key_made_after_it_was_asked_for_is_found_soon(table: KeyTable) -> None:
    await refused(table, text(7))
    given = table.add(7)
    table.now += LIFETIME

    assert (await table.known.caller(given)).owner == "ann"


async def test_guesses_do_not_hold_up_a_key_that_is_known(table: KeyTable) -> None:
    given = table.add(1)
    await table.known.caller(given)
    await refused(table, text(2))
    table.now += LIFETIME
    table.open.clear()
    guess = asyncio.create_task(refused(table, text(3)))
    await asyncio.sleep(0)
    slept = len(table.slept)

    use = asyncio.create_task(table.known.caller(given))
    table.open.set()
    await use

    assert len(table.slept) == slept
    await guess


async def test_what_is_known_not_to_be_there_stays_bounded(table: KeyTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_keys, "MAX_MISSING", 10)
    for number in range(100):
        await refused(table, text(number))

    assert len(table.known._missing) <= 10


async def test_a_database_that_is_away_is_not_taken_for_a_bad_key(table: KeyTable) -> None:
    given = table.add(1)
    table.away = True
    with pytest.raises(DatabaseUnavailable):
        await table.known.caller(given)
    table.away = False

    assert (await table.known.caller(given)).owner == "ann"


async def test_one_who_gives_up_takes_nobody_along(table: KeyTable) -> None:
    given = table.add(1)
    table.open.clear()
    first, second = (asyncio.create_task(table.known.caller(given)) for _ in range(2))
    while not table.asked:
        await asyncio.sleep(0)
    first.cancel()
    table.open.set()

    assert (await second).owner == "ann"
    assert table.asked == [[key_id(1)]]


async def test_those_who_ask_together_share_a_statement(table: KeyTable) -> None:
    given = [table.add(number) for number in range(50)]

    await asyncio.gather(*(table.known.caller(one) for one in given))

    assert len(table.asked) == 1
