"""Whether a submission may be stored, by what waits."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from api_service.errors import QueueFull, RateLimited, TooManyWaiting
from api_service.quotas.quotas import Caps, Quotas
from api_service.quotas.rate_limit import RateLimit
from api_service.quotas.waiting_jobs import LIFETIME, WaitingJobs
from api_service.refreshed import PAUSE_PER_READ
from shared.errors import DatabaseUnavailable
from tests.unit.api_service.jobs import new_job


class Table:
    """Jobs that wait, and how often they were counted."""

    def __init__(self, per_owner: int = 10, per_queue: int = 100, rate: RateLimit | None = None) -> None:
        self.rows: Counter[tuple[str, str]] = Counter()
        self.now = 0.0
        self.counts = 0
        self.takes = 0.0
        self.away = False
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = WaitingJobs(self.count, lambda: self.now)
        self.quotas = Quotas(self.waiting, Caps(per_owner, per_queue), rate, lambda queue, jobs: jobs)

    async def count(self) -> Sequence[tuple[str, str, int]]:
        self.counts += 1
        found = [(queue, owner, jobs) for (queue, owner), jobs in self.rows.items()]
        await self.open.wait()
        self.now += self.takes
        if self.away:
            raise DatabaseUnavailable("away")
        return found

    async def submit(self, owner: str = "ann", queue: str = "q", jobs: int = 1) -> None:
        new = [new_job(number, owner=owner, queue=queue) for number in range(jobs)]
        with await self.quotas.admit(new):
            await asyncio.sleep(0)
            self.rows[queue, owner] += jobs

    async def refused(self, kind: type[Any], **options: Any) -> Any:
        with pytest.raises(kind) as refusal:
            await self.submit(**options)
        return refusal.value

    async def later(self, seconds: float) -> None:
        """Time passes; what is being counted is done."""
        self.now += seconds
        await self.waiting.drain()


async def times(number: int, do: Callable[[], Any]) -> list[Any]:
    return await asyncio.gather(*(do() for _ in range(number)), return_exceptions=True)


async def test_an_owner_may_have_so_many_waiting_and_no_more() -> None:
    table = Table(per_owner=10)
    for _ in range(10):
        await table.submit()

    assert (await table.refused(TooManyWaiting)).retry_after == 1
    assert table.rows["q", "ann"] == 10


async def test_those_who_come_at_once_are_counted_while_they_are_stored() -> None:
    table = Table(per_owner=10)

    done = await times(50, table.submit)

    assert sum(isinstance(one, TooManyWaiting) for one in done) == 40
    assert table.rows["q", "ann"] == 10


async def test_a_count_in_the_middle_forgets_nobody() -> None:
    table = Table(per_owner=10)
    table.open.clear()
    first = [asyncio.create_task(table.submit()) for _ in range(20)]
    while not table.counts:
        await asyncio.sleep(0)
    table.open.set()
    await asyncio.wait(first)
    table.now += LIFETIME
    table.open.clear()
    second = [asyncio.create_task(table.submit()) for _ in range(20)]
    await asyncio.sleep(0)
    table.open.set()
    await asyncio.wait(second)
    for task in (*first, *second):
        task.exception()

    assert table.rows["q", "ann"] == 10


async def test_owners_have_a_cap_each_over_all_queues() -> None:
    table = Table(per_owner=2)
    await table.submit(queue="q")
    await table.submit(queue="r")
    await table.refused(TooManyWaiting, queue="s")

    await table.submit("bob")


async def test_a_queue_has_a_cap_over_all_owners() -> None:
    table = Table(per_queue=2)
    await table.submit("ann")
    await table.submit("bob")
    full = await table.refused(QueueFull, owner="eve")

    assert "q" in str(full)
    await table.submit("eve", "r")


async def test_a_batch_is_let_in_whole_or_not_at_all() -> None:
    table = Table(per_owner=10)
    await table.submit(jobs=4)
    assert (await table.refused(TooManyWaiting, jobs=7)).retry_after == 1
    await table.submit(jobs=6)


async def test_jobs_of_before_this_process_count() -> None:
    table = Table(per_owner=10)
    table.rows["q", "ann"] = 10

    await table.refused(TooManyWaiting)


async def test_what_other_processes_store_counts_a_second_later() -> None:
    table = Table(per_owner=10)
    await table.submit()
    table.rows["q", "ann"] += 9
    await table.later(LIFETIME)
    await table.submit()  # nobody waits for the count that this one asks for
    await table.later(0)

    await table.refused(TooManyWaiting)


async def test_submissions_are_not_counted_one_by_one() -> None:
    table = Table(per_owner=10_000, per_queue=10_000)
    for _ in range(1000):
        await table.submit()
    assert table.counts == 1
    await table.later(LIFETIME)
    for _ in range(1000):
        await table.submit()
    await table.later(0)

    assert table.counts == 2


async def test_refusals_are_not_either() -> None:
    table = Table(per_owner=1)
    await table.submit()
    table.now += LIFETIME
    for _ in range(100):
        await table.refused(TooManyWaiting)

    assert table.counts == 2


async def test_what_takes_long_to_count_is_counted_less_often() -> None:
    table = Table(per_owner=10_000)
    table.takes = 1.0
    await table.submit()
    await table.later(PAUSE_PER_READ - 2)
    await table.submit()
    assert table.counts == 1


async def test_nobody_is_refused_by_what_is_no_longer_so() -> None:
    table = Table(per_owner=10)
    await table.submit(jobs=10)
    table.rows["q", "ann"] = 0
    table.now += LIFETIME

    await table.submit()


async def test_nobody_waits_for_a_count_but_the_first() -> None:
    table = Table()
    await table.submit()
    table.now += LIFETIME
    table.open.clear()

    await asyncio.wait_for(table.submit(), 10)

    assert table.counts == 2
    table.open.set()
    await table.quotas.drain()


async def test_without_any_count_the_databases_absence_is_told() -> None:
    table = Table()
    table.away = True
    await table.refused(DatabaseUnavailable)
    table.away = False

    await table.submit()


async def test_a_count_that_fails_takes_nothing_from_the_one_before() -> None:
    table = Table(per_owner=3)
    await table.submit()
    table.away = True
    table.now += LIFETIME
    await table.submit()
    await table.waiting.drain()
    assert table.waiting.of_owner("ann") == 2
    table.away = False
    await table.submit()

    await table.refused(TooManyWaiting)


async def test_who_is_refused_for_what_waits_has_submitted_nothing() -> None:
    table = Table(per_owner=1, rate=RateLimit(1.0, 2, lambda: 0.0))
    await table.submit()
    for _ in range(5):
        await table.refused(TooManyWaiting)
    table.rows["q", "ann"] = 0
    table.now += LIFETIME
    await table.submit()
    table.rows["q", "ann"] = 0
    table.now += LIFETIME

    await table.refused(RateLimited)


async def test_what_is_no_longer_being_stored_is_forgotten() -> None:
    table = Table(per_owner=1000)
    for number in range(100):
        await table.submit(owner=f"owner {number}")

    assert not table.waiting._storing.owners
    assert not table.waiting._storing.queues
