"""The rules of "Waiting and the cache", one by one."""

import asyncio
from uuid import UUID

import pytest

from api_service import status_cache
from api_service.status_cache import LIFETIME, MAX_RESULT, StatusCache
from shared.job import Job
from tests.unit.api_service.jobs import ID, OTHER_ID, job


class World:
    """A row, a clock, and a gate that reads stand at after they have seen the row."""

    def __init__(self) -> None:
        self.rows: dict[UUID, Job] = {ID: job(revision=1)}
        self.now = 100.0
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.cache = StatusCache(self.read, lambda: self.now)

    async def read(self, wanted: tuple[str | None, UUID]) -> Job | None:
        owner, job_id = wanted
        self.reads += 1
        row = self.rows.get(job_id)
        await self.gate.wait()
        return row if row is not None and row.owner == owner else None

    async def revision(self, at_least: int = 0) -> int:
        found = await self.cache.get("local", ID, at_least=at_least)
        assert found is not None
        return found.revision


@pytest.fixture
def world() -> World:
    return World()


async def test_an_entry_answers_for_a_second_and_no_longer(world: World) -> None:
    await world.revision()
    world.rows[ID] = job(revision=2)
    world.now += LIFETIME - 0.01
    before = await world.revision()
    world.now += 0.01
    after = await world.revision()

    assert (before, after, world.reads) == (1, 2, 2)


async def test_the_second_counts_from_before_the_row_was_read(world: World) -> None:
    world.gate.clear()
    reading = asyncio.create_task(world.revision())
    await asyncio.sleep(0)
    world.now += LIFETIME
    world.gate.set()
    await reading
    world.rows[ID] = job(revision=2)

    assert await world.revision() == 2


async def test_an_answer_from_here_does_not_lengthen_its_life(world: World) -> None:
    await world.revision()
    world.rows[ID] = job(revision=2)
    for _ in range(3):
        world.now += LIFETIME / 2
        last = await world.revision()

    assert last == 2


async def test_a_notification_throws_the_entry_away(world: World) -> None:
    await world.revision()
    world.rows[ID] = job(revision=2)

    world.cache.changed([OTHER_ID])
    assert await world.revision() == 1
    world.cache.changed([ID])
    assert await world.revision() == 2


async def test_a_read_that_raced_a_notification_is_not_kept(world: World) -> None:
    world.gate.clear()
    reading = asyncio.create_task(world.revision())
    await asyncio.sleep(0)
    world.rows[ID] = job(revision=2)
    world.cache.changed([ID])
    world.gate.set()

    assert await reading == 1  # it asked before the change
    assert await world.revision() == 2


async def test_connecting_anew_empties_it_and_what_is_being_read(world: World) -> None:
    await world.revision()
    world.gate.clear()
    world.now += LIFETIME
    reading = asyncio.create_task(world.revision())
    await asyncio.sleep(0)
    world.rows[ID] = job(revision=2)
    world.cache.clear()
    world.gate.set()
    await reading

    assert await world.revision() == 2


async def test_who_has_seen_a_newer_revision_goes_to_the_database(world: World) -> None:
    await world.revision()
    world.rows[ID] = job(revision=2)

    assert await world.revision(at_least=2) == 2
    assert await world.revision() == 2


async def test_a_newer_row_that_was_read_elsewhere_counts_as_a_change(world: World) -> None:
    await world.revision()
    world.cache.saw([job(revision=1)])
    assert (await world.revision(), world.reads) == (1, 1)

    world.rows[ID] = job(revision=2)
    world.cache.saw([job(revision=2)])

    assert await world.revision() == 2


async def test_an_older_row_never_replaces_a_newer_one(world: World) -> None:
    world.gate.clear()
    slow = asyncio.create_task(world.revision())
    await asyncio.sleep(0)
    world.gate, slow_gate = asyncio.Event(), world.gate
    world.gate.set()
    world.rows[ID] = job(revision=2)
    world.now += 0.1
    assert await world.revision() == 2
    slow_gate.set()
    assert await slow == 1

    assert await world.revision() == 2


async def test_nor_does_one_whose_read_began_later(world: World) -> None:
    world.gate.clear()
    world.rows[ID] = job(revision=2)
    early = asyncio.create_task(world.revision())
    await asyncio.sleep(0)
    world.now += 0.1
    world.rows[ID] = job(revision=1)  # as if its statement had overtaken the other
    late = asyncio.create_task(world.revision())
    await asyncio.sleep(0)
    world.gate.set()
    assert (await early, await late) == (2, 1)

    assert await world.revision() == 2


async def test_another_owner_gets_nothing_from_here(world: World) -> None:
    await world.revision()

    assert await world.cache.get("somebody else", ID) is None
    assert await world.revision() == 1


async def test_a_job_that_there_is_not_is_looked_for_each_time(world: World) -> None:
    assert await world.cache.get("local", OTHER_ID) is None
    world.rows[OTHER_ID] = job(id=OTHER_ID)
    assert await world.cache.get("local", OTHER_ID) is not None


async def test_large_results_are_not_kept(world: World) -> None:
    world.rows[ID] = job(result="x" * (MAX_RESULT + 1))
    await world.revision()
    await world.revision()

    assert world.reads == 2


async def test_it_holds_only_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_cache, "MAX_ENTRIES", 1)
    world.rows[OTHER_ID] = job(id=OTHER_ID)
    await world.revision()
    await world.cache.get("local", OTHER_ID)
    await world.cache.get("local", OTHER_ID)
    await world.revision()

    assert world.reads == 3


async def test_a_read_that_fails_leaves_nothing_behind(world: World) -> None:
    async def broken(_: tuple[str | None, UUID]) -> Job | None:
        raise RuntimeError("away")

    cache = StatusCache(broken)
    with pytest.raises(RuntimeError):
        await cache.get("local", ID)

    assert not cache._reads
