"""Places in queues."""

import asyncio
from uuid import UUID

import pytest

from api_service.queue_position import LIFETIME, QueuePositions
from shared.errors import DatabaseUnavailable
from shared.states import JobState
from tests.unit.api_service.jobs import ID, OTHER_ID, job


class Queue:
    def __init__(self) -> None:
        self.head = [OTHER_ID, ID]
        self.away = False
        self.reads: list[str] = []
        self.now = 0.0
        self.positions = QueuePositions(self.read, lambda: self.now)

    async def read(self, queue: str) -> list[UUID]:
        self.reads.append(queue)
        await asyncio.sleep(0)
        if self.away:
            raise DatabaseUnavailable("away")
        return self.head


async def test_the_first_is_next() -> None:
    queue = Queue()

    assert [await queue.positions.of(job(id=one)) for one in (OTHER_ID, ID, UUID(int=1))] == [1, 2, None]


async def test_a_queue_is_read_once_a_second_however_many_ask() -> None:
    queue = Queue()
    await asyncio.gather(*(queue.positions.of(job()) for _ in range(10)))
    await queue.positions.of(job(queue="another"))
    queue.now += LIFETIME - 0.01
    await queue.positions.of(job())
    assert queue.reads == ["reverse", "another"]

    queue.now += 0.01
    queue.head = [ID]

    assert await queue.positions.of(job()) == 1


async def test_only_what_is_queued_has_a_place() -> None:
    queue = Queue()

    assert await queue.positions.of(job(state=JobState.RUNNING)) is None
    assert not queue.reads


async def test_a_failure_is_not_remembered() -> None:
    queue = Queue()
    queue.away = True
    with pytest.raises(DatabaseUnavailable):
        await queue.positions.of(job())
    queue.away = False

    assert await queue.positions.of(job()) == 2


async def test_one_that_gives_up_takes_nobody_along() -> None:
    queue = Queue()
    first = asyncio.create_task(queue.positions.of(job()))
    second = asyncio.create_task(queue.positions.of(job()))
    await asyncio.sleep(0)
    first.cancel()

    assert await second == 2
    assert queue.reads == ["reverse"]
