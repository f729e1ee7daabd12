"""Idempotency keys: stored with their jobs, once for each owner and key, whoever is faster."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.database.pool import Database
from shared.database.repetition import find_submissions, read_batch
from shared.database.submission import insert_each, insert_jobs
from shared.errors import AlreadySubmitted, DatabaseRefused
from shared.job import NewJob
from shared.states import JobState
from tests.contract.database.stage import OWNER, Stage, new_id, new_job

KEY, DIGEST = "POST /v1/jobs abc", "5f1d"


def keyed(key: str = KEY, owner: str = OWNER, digest: str = DIGEST) -> NewJob:
    return new_job(owner=owner, idempotency_key=key, idempotency_hash=digest)


def batch(size: int, key: str | None = KEY) -> list[NewJob]:
    """The first one carries the key."""
    together = new_id()
    first = new_job(batch_id=together, idempotency_key=key, idempotency_hash=DIGEST if key else None)
    return [first, *(new_job(batch_id=together) for _ in range(size - 1))]


@pytest.fixture
async def other(shared_url: str) -> AsyncIterator[Database]:
    """The database of another process."""
    database = await Database.connect(shared_url, size=2, patience=5)
    yield database
    await database.close()


async def test_what_was_submitted_under_a_key_is_found_as_it_is_now(db: Database, stage: Stage) -> None:
    given = keyed()
    await insert_each(db, [given])
    await stage.change(given.id, "state = 'cancelled', finished_at = now()")

    (found,) = await find_submissions(db, [(OWNER, KEY)])

    assert found is not None
    assert (found.job.id, found.job.state, found.digest) == (given.id, JobState.CANCELLED, DIGEST)


async def test_keys_are_looked_up_together_each_for_its_owner(db: Database) -> None:
    hers, his = keyed(owner="ada"), keyed(owner="bob")
    await insert_each(db, [hers, his])

    found = await find_submissions(db, [("bob", KEY), ("ada", "another"), ("ada", KEY), ("eve", KEY)])

    assert [one and one.job.id for one in found] == [his.id, None, hers.id, None]
    assert await find_submissions(db, []) == []


async def test_a_key_is_stored_once(db: Database, stage: Stage) -> None:
    """The answers stay in order; what has no key, or another's, is stored beside."""
    first = keyed()
    await insert_each(db, [first])
    given = [keyed("c"), new_job(), keyed(), keyed("a"), new_job(), keyed(owner="ada")]

    stored = await insert_each(db, given)

    assert [one and one.id for one in stored] == [one.id if one is not given[2] else None for one in given]
    assert len(await stage.rows()) == 6


async def test_a_key_that_comes_twice_in_one_statement_is_stored_once(db: Database, stage: Stage) -> None:
    stored = await insert_each(db, [keyed(), keyed()])

    assert [one is None for one in stored] == [False, True]
    assert len(await stage.rows()) == 1


async def test_whoever_comes_second_waits_for_the_first(db: Database, other: Database, stage: Stage) -> None:
    """Two processes at the same moment: one stores, the other is told, and finds what the first has stored."""
    first = keyed()
    async with stage.holding():
        await stage.connection.execute(
            "INSERT INTO jobs (id, owner, task, model, version, queue, state, input, max_attempts, available_at, queue_ttl,"
            " queue_deadline, execution_timeout, created_at, idempotency_key, idempotency_hash) VALUES ($1, $2,"
            " 'inference', 'echo', 1, 'echo', 'queued', '1', 3, now(), '1 h', now(), '1 min', now(), $3, $4)",
            *(first.id, OWNER, KEY, DIGEST),
        )
        second = asyncio.create_task(insert_each(other, [keyed(), new_job()]))
        await stage.until_waiting()
        assert await find_submissions(db, [(OWNER, KEY)]) == [None]

    stored = await second

    assert [one is None for one in stored] == [True, False]
    (found,) = await find_submissions(other, [(OWNER, KEY)])
    assert found is not None
    assert found.job.id == first.id


async def test_many_at_once_from_two_processes_store_one(db: Database, other: Database, stage: Stage) -> None:
    """In whatever order each has the keys: nobody waits for one while holding another that is waited for."""
    keys = [f"key {number}" for number in range(20)]
    inserts = [
        insert_each(database, [keyed(key) for key in order])
        for database, order in [(db, keys), (other, keys[::-1])] * 10
    ]

    answers = await asyncio.gather(*inserts)

    assert sum(one is not None for stored in answers for one in stored) == len(keys) == len(await stage.rows())


async def test_the_key_is_free_again_when_the_first_was_not_stored(db: Database, stage: Stage) -> None:
    with pytest.raises(DatabaseRefused):
        await insert_each(db, [keyed(), new_job(max_attempts=0)])

    (stored,) = await insert_each(db, [keyed()])

    assert stored is not None


async def test_a_batch_is_stored_in_order_under_the_key_of_its_first(db: Database) -> None:
    given = batch(50)

    stored = await insert_jobs(db, given)

    assert [job.id for job in stored] == [job.id for job in given]
    (found,) = await find_submissions(db, [(OWNER, KEY)])
    assert found is not None
    assert found.job.batch_id == given[0].batch_id


@pytest.mark.parametrize("size", [1, 3])
async def test_nothing_of_a_batch_is_stored_whose_key_is_taken(size: int, db: Database, stage: Stage) -> None:
    await insert_jobs(db, batch(2))

    with pytest.raises(AlreadySubmitted):
        await insert_jobs(db, batch(size))

    assert len(await stage.rows()) == 2


@pytest.mark.parametrize("key", [None, KEY])
async def test_nothing_of_a_batch_is_stored_where_one_is_refused(key: str | None, db: Database, stage: Stage) -> None:
    given = [*batch(3, key), new_job(max_attempts=0)]

    with pytest.raises(DatabaseRefused):
        await insert_jobs(db, given)

    assert await stage.rows() == []


async def test_two_processes_with_the_same_batch_store_it_once(db: Database, other: Database, stage: Stage) -> None:
    given = [batch(30) for _ in range(6)]

    answers = await asyncio.gather(
        *(insert_jobs(database, one) for database, one in zip([db, other] * 3, given, strict=True)),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in answers) == ["AlreadySubmitted"] * 5 + ["list"]
    assert {row["batch_id"] for row in await stage.rows()} < {one[0].batch_id for one in given}
    assert len(await stage.rows()) == 30


async def test_a_batch_is_read_in_order_by_its_owner_only(db: Database, stage: Stage) -> None:
    given = batch(5)
    await insert_jobs(db, given)
    await stage.connection.execute("DELETE FROM jobs WHERE id = $1", given[2].id)
    together = given[0].batch_id
    assert together is not None

    assert [job.id for job in await read_batch(db, OWNER, together)] == [given[n].id for n in (0, 1, 3, 4)]
    assert await read_batch(db, "eve", together) == []
