"""Waiting for a job."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from uuid import UUID

import pytest

from api_service import waiting
from api_service.waiting import Watcher
from shared.errors import DatabaseUnavailable
from shared.job import Job
from shared.states import JobState
from tests.unit.api_service.jobs import ID, OTHER_ID, job

DONE = job(state=JobState.SUCCEEDED, revision=3)


class World:
    """Rows, and a watcher over them whose own looks come only when a test says so."""

    def __init__(self) -> None:
        self.rows: dict[UUID, Job] = {ID: job(), OTHER_ID: job(id=OTHER_ID)}
        self.looks: list[set[UUID]] = []
        self.away = False
        self.seen: list[Job] = []
        self.reading = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.watcher = Watcher(self.read_one, self.read_many, self.seen.extend)

    async def read_one(self, owner: str | None, job_id: UUID, *, at_least: int) -> Job | None:
        row = self.rows.get(job_id)
        self.reading.set()
        await self.gate.wait()
        return row if row is not None and row.owner == owner else None

    async def read_many(self, ids: Collection[UUID]) -> Iterable[Job]:
        self.looks.append(set(ids))
        if self.away:
            raise DatabaseUnavailable("away")
        return [self.rows[job_id] for job_id in ids if job_id in self.rows]

    def wait(self, job_id: UUID = ID, seconds: float = 30) -> "asyncio.Task[Job | None]":
        return asyncio.create_task(self.watcher.wait("local", job_id, lambda one: one.state.finished, seconds))

    async def waiters(self, number: int) -> None:
        while self.watcher.waiting != number:
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(waiting, "INTERVAL", 3600.0)
    world = World()
    running = asyncio.create_task(world.watcher.run())
    yield world
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert world.watcher.waiting == 0


async def test_what_holds_already_is_answered_at_once(world: World) -> None:
    world.rows[ID] = DONE

    assert await world.wait() == DONE
    assert not world.looks


async def test_a_notification_answers_with_one_look_for_all(world: World) -> None:
    tasks = [world.wait() for _ in range(100)] + [world.wait(OTHER_ID)]
    await world.waiters(101)
    world.rows[ID] = DONE
    world.watcher.changed([ID, UUID(int=5)])

    assert set(await asyncio.gather(*tasks[:100])) == {DONE}
    assert world.looks == [{ID}]
    assert world.seen == [DONE]
    tasks[100].cancel()
    await asyncio.gather(tasks[100], return_exceptions=True)


async def test_news_that_is_not_waited_for_wakes_nobody(world: World) -> None:
    task = world.wait()
    await world.waiters(1)
    world.rows[ID] = job(state=JobState.RUNNING, revision=2)
    world.watcher.changed([ID])
    while not world.looks:
        await asyncio.sleep(0)
    await world.waiters(1)
    assert not task.done()

    world.watcher.close()

    answer = await task
    assert answer is not None
    assert answer.revision == 2  # the latest that is known


async def test_a_change_between_registering_and_reading_is_not_missed(world: World) -> None:
    world.gate.clear()
    task = world.wait()
    await world.reading.wait()  # it has seen the old row
    world.rows[ID] = DONE
    world.watcher.changed([ID])
    await world.waiters(1)
    world.gate.set()

    assert await task == DONE


async def test_under_it_all_are_looked_at_every_interval(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "INTERVAL", 0.02)
    running = asyncio.create_task(world.watcher.run())
    tasks = [world.wait(), world.wait(OTHER_ID)]
    await world.waiters(2)
    world.rows = {ID: DONE, OTHER_ID: job(id=OTHER_ID, state=JobState.FAILED)}

    await asyncio.gather(*tasks)

    assert {ID, OTHER_ID} in world.looks
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_connecting_anew_looks_at_all(world: World) -> None:
    tasks = [world.wait(), world.wait(OTHER_ID)]
    await world.waiters(2)
    world.rows = {ID: DONE, OTHER_ID: job(id=OTHER_ID, state=JobState.FAILED)}
    world.watcher.reread()

    await asyncio.gather(*tasks)

    assert world.looks == [{ID, OTHER_ID}]


async def test_in_vain_it_ends_with_the_job_as_it_is(world: World) -> None:
    assert await world.wait(seconds=0.01) == world.rows[ID]


async def test_another_owners_job_is_not_there(world: World) -> None:
    world.rows[ID] = job(owner="somebody else")

    assert await world.wait() is None


async def test_a_job_that_is_deleted_meanwhile_is_not_there(world: World) -> None:
    task = world.wait()
    await world.waiters(1)
    del world.rows[ID]
    world.watcher.changed([ID])

    assert await task is None


async def test_closing_answers_all_and_whoever_comes_later(world: World) -> None:
    tasks = [world.wait(), world.wait(OTHER_ID)]
    await world.waiters(2)

    world.watcher.close()

    assert await asyncio.gather(*tasks) == list(world.rows.values())
    async with asyncio.timeout(5):
        assert await world.wait(seconds=3600) == world.rows[ID]


async def test_a_database_that_is_away_for_a_look_loses_nobody(world: World) -> None:
    task = world.wait()
    await world.waiters(1)
    world.away = True
    world.watcher.changed([ID])
    while not world.looks:
        await asyncio.sleep(0)
    world.away = False
    world.rows[ID] = DONE
    world.watcher.reread()

    assert await task == DONE


async def test_who_gives_up_is_forgotten(world: World) -> None:
    task = world.wait()
    await world.waiters(1)
    task.cancel()

    await world.waiters(0)
    world.watcher.changed([ID])
    assert not world.looks
    await asyncio.gather(task, return_exceptions=True)
