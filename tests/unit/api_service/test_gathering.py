"""Calls that arrive together share one statement: here, submissions an insert."""

import asyncio
from collections.abc import Sequence

from api_service.gathering import MAX_CHARACTERS, MAX_IN_FLIGHT, MAX_ITEMS, Gathered
from shared.errors import DatabaseUnavailable
from shared.job import Job, NewJob
from tests.unit.api_service.jobs import job, new_job


class Table:
    """Inserts when it is told to."""

    def __init__(self) -> None:
        self.inserts: list[list[NewJob]] = []
        self.refuses: set[int] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.committed: list[NewJob] = []
        self.submissions = Gathered(self.insert, lambda one: len(one.input))

    async def insert(self, jobs: Sequence[NewJob]) -> list[Job]:
        self.inserts.append(list(jobs))
        await self.gate.wait()
        if self.refuses & {one.id.int for one in jobs}:
            raise ValueError("no")
        self.committed += jobs
        return [job(id=one.id) for one in jobs]

    @property
    def sizes(self) -> list[int]:
        return [len(one) for one in self.inserts]


async def turns(number: int = 5) -> None:
    """Lets everything that is ready go on."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_each_caller_gets_its_own_job() -> None:
    table = Table()

    jobs = await asyncio.gather(*(table.submissions.ask(new_job(n)) for n in range(10)))

    assert [one.id.int for one in jobs] == list(range(10))
    assert table.sizes == [10]
    assert [one.id.int for one in table.committed] == list(range(10))


async def test_submissions_gather_while_inserts_are_under_way() -> None:
    table = Table()
    table.gate.clear()
    callers = []
    for n in range(MAX_IN_FLIGHT + 100):
        callers.append(asyncio.create_task(table.submissions.ask(new_job(n))))
        await turns()
    under_way = table.sizes
    table.gate.set()
    await asyncio.gather(*callers)

    assert under_way == [1] * MAX_IN_FLIGHT
    assert table.sizes == [*under_way, MAX_ITEMS, 100 - MAX_ITEMS]


async def test_large_inputs_do_not_all_travel_at_once() -> None:
    table = Table()
    large = "x" * (MAX_CHARACTERS // 2)

    await asyncio.gather(*(table.submissions.ask(new_job(n, input=large)) for n in range(5)))

    assert table.sizes == [2, 2, 1]


async def test_a_single_input_beyond_the_limit_travels_alone() -> None:
    table = Table()

    await table.submissions.ask(new_job(input="x" * (MAX_CHARACTERS + 1)))

    assert table.sizes == [1]


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    table = Table()
    table.gate.clear()
    callers = [asyncio.create_task(table.submissions.ask(new_job(n))) for n in range(3)]
    await turns()
    callers[1].cancel()
    table.gate.set()

    answers = await asyncio.gather(*callers, return_exceptions=True)

    assert [isinstance(answer, Job) for answer in answers] == [True, False, True]
    assert table.sizes == [3]
    assert len(table.committed) == 3


async def test_who_went_away_before_anything_was_sent_submits_nothing() -> None:
    table = Table()
    table.gate.clear()
    busy = []
    for n in range(MAX_IN_FLIGHT):
        busy.append(asyncio.create_task(table.submissions.ask(new_job(n))))
        await turns()
    gone = asyncio.create_task(table.submissions.ask(new_job(99)))
    await turns()
    gone.cancel()
    table.gate.set()
    await asyncio.gather(*busy)
    await table.submissions.drain()

    assert {one.id.int for one in table.committed} == set(range(MAX_IN_FLIGHT))
    assert (await table.submissions.ask(new_job(100))).id.int == 100


async def test_a_row_that_is_refused_takes_nobody_along() -> None:
    table = Table()
    table.refuses = {1}

    answers = await asyncio.gather(*(table.submissions.ask(new_job(n)) for n in range(3)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [Job, ValueError, Job]
    assert {one.id.int for one in table.committed} == {0, 2}


async def test_a_database_that_is_away_is_told_to_all_and_not_asked_again() -> None:
    asked = 0

    async def insert(_: Sequence[NewJob]) -> list[Job]:
        nonlocal asked
        asked += 1
        raise DatabaseUnavailable("away")

    submissions = Gathered(insert)

    answers = await asyncio.gather(*(submissions.ask(new_job(n)) for n in range(5)), return_exceptions=True)

    assert {type(answer) for answer in answers} == {DatabaseUnavailable}
    assert asked == 1


async def test_draining_waits_for_what_is_under_way() -> None:
    table = Table()
    table.gate.clear()
    caller = asyncio.create_task(table.submissions.ask(new_job()))
    await turns()
    draining = asyncio.create_task(table.submissions.drain())
    await turns()
    assert not draining.done()

    table.gate.set()
    await draining

    assert table.committed
    await caller
