"""Values that are read when somebody asks."""

import asyncio

import pytest

from api_service.refreshed import PAUSE_PER_FAILURE, PAUSE_PER_READ, Refreshed
from shared.errors import DatabaseUnavailable


class Source:
    def __init__(self, takes: float = 0.0) -> None:
        self.now = 0.0
        self.reads = 0
        self.takes = takes
        self.away = False
        self.value = Refreshed(self.read, 1.0, lambda: self.now)

    async def read(self) -> int:
        self.reads += 1
        await asyncio.sleep(0)
        self.now += self.takes
        if self.away:
            raise DatabaseUnavailable("away")
        return self.reads


async def test_those_who_ask_at_once_share_a_reading() -> None:
    source = Source()

    assert await asyncio.gather(*(source.value.get() for _ in range(5))) == [1] * 5


async def test_it_lives_as_long_as_it_may() -> None:
    source = Source()
    await source.value.get()
    source.now = 0.9
    assert await source.value.get() == 1
    source.now = 1.0
    assert await source.value.get() == 2


async def test_what_is_slow_to_read_is_read_less_often() -> None:
    source = Source(takes=2.0)
    await source.value.get()
    source.now = 2.0 * PAUSE_PER_READ - 1
    assert await source.value.get() == 1
    source.now = 2.0 * PAUSE_PER_READ
    assert await source.value.get() == 2


async def test_after_a_failure_the_next_reads_again() -> None:
    source = Source()
    source.away = True
    with pytest.raises(DatabaseUnavailable):
        await source.value.get()
    source.away = False

    assert await source.value.get() == 2


async def test_what_is_given_up_after_long_is_not_begun_anew_by_each_who_asks() -> None:
    source = Source(takes=10.0)
    source.away = True
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await source.value.get()
    assert source.reads == 1
    source.away = False
    source.now = 10.0 * PAUSE_PER_FAILURE

    assert await source.value.get() == 2


async def test_one_who_gives_up_takes_nobody_along() -> None:
    source = Source()
    first, second = (asyncio.create_task(source.value.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()

    assert await second == 1
