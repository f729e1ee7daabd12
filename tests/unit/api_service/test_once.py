"""A submission with a key is stored once; here with a table in memory that stores when it is told to."""

import asyncio

import pytest

from api_service.errors import KeyReused, StillStoring
from api_service.idempotency import Key
from api_service.once import Once, Replay
from shared.database.repetition import Submitted
from shared.errors import DatabaseUnavailable
from shared.job import Job
from tests.unit.api_service.jobs import job

KEY = Key("POST /v1/jobs abc", "digest")


class Table:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Submitted] = {}
        self.once = Once(self.find)
        self.gate = asyncio.Event()
        self.gate.set()
        self.stores = 0

    async def find(self, asked: tuple[str, str]) -> Submitted | None:
        await asyncio.sleep(0)
        return self.rows.get(asked)

    async def submit(self, key: Key = KEY, owner: str = "ada") -> Job | Replay:
        async def store() -> Job | None:
            self.stores += 1
            await self.gate.wait()
            if (owner, key.name) in self.rows:
                return None
            self.rows[owner, key.name] = Submitted(job(owner=owner), key.digest)
            return self.rows[owner, key.name].job

        return await self.once.store(owner, key, store)


@pytest.fixture
def table() -> Table:
    return Table()


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_the_first_is_stored_and_the_next_is_told(table: Table) -> None:
    first, second = await table.submit(), await table.submit()

    assert isinstance(first, Job)
    assert second == Replay(first)
    assert table.stores == 1


async def test_another_body_is_refused(table: Table) -> None:
    await table.submit()

    with pytest.raises(KeyReused):
        await table.submit(Key(KEY.name, "another"))


async def test_keys_belong_to_an_owner_and_a_route(table: Table) -> None:
    await table.submit()

    assert isinstance(await table.submit(owner="bob"), Job)
    assert isinstance(await table.submit(Key("POST /v1/jobs/batch abc", "another")), Job)


async def test_who_comes_while_the_first_is_being_stored_is_told_to_repeat(table: Table) -> None:
    table.gate.clear()
    first = asyncio.create_task(table.submit())
    await turns()

    with pytest.raises(StillStoring):
        await table.submit()
    assert table.stores == 1
    table.gate.set()
    stored = await first
    assert isinstance(stored, Job)
    assert await table.submit() == Replay(stored)


async def test_of_those_who_come_together_one_is_stored(table: Table) -> None:
    table.gate.clear()
    submissions = [asyncio.create_task(table.submit()) for _ in range(10)]
    await turns()
    table.gate.set()
    answers = await asyncio.gather(*submissions, return_exceptions=True)

    assert [type(one) for one in answers] == [Job] + [StillStoring] * 9
    assert table.stores == 1


async def test_repetitions_at_once_are_all_answered(table: Table) -> None:
    first = await table.submit()

    assert await asyncio.gather(*(table.submit() for _ in range(10))) == [Replay(first)] * 10  # type: ignore[arg-type]


async def test_another_process_that_was_faster_is_heard(table: Table) -> None:
    table.gate.clear()
    mine = asyncio.create_task(table.submit())
    await turns()
    theirs = Submitted(job(), KEY.digest)
    table.rows["ada", KEY.name] = theirs
    table.gate.set()

    assert await mine == Replay(theirs.job)


async def test_another_process_that_stored_another_body_is_heard_too(table: Table) -> None:
    table.gate.clear()
    mine = asyncio.create_task(table.submit())
    await turns()
    table.rows["ada", KEY.name] = Submitted(job(), "another")
    table.gate.set()

    with pytest.raises(KeyReused):
        await mine


async def test_what_was_stored_elsewhere_and_is_gone_again_is_to_be_repeated(table: Table) -> None:
    async def store() -> Job | None:
        return None

    with pytest.raises(StillStoring):
        await table.once.store("ada", KEY, store)
    assert isinstance(await table.submit(), Job)


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), ValueError("no"), asyncio.CancelledError()])
async def test_an_error_leaves_the_key_free(table: Table, error: BaseException) -> None:
    async def store() -> Job | None:
        raise error

    with pytest.raises(type(error)):
        await table.once.store("ada", KEY, store)

    assert isinstance(await table.submit(), Job)
