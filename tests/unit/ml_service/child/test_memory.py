"""How much a child may hold, and that what it started is counted and ended with it."""

import asyncio
from pathlib import Path

import pytest

from ml_service.child import memory as memory_module
from ml_service.child.errors import ChildDied
from ml_service.child.family import family, proportional, resident
from ml_service.child.memory import MemoryWatch, in_words
from ml_service.child.messages import Stopped
from ml_service.child.process import ModelProcess
from tests.unit.ml_service.child.conftest import ACTOR, Spawn
from tests.unit.ml_service.child.test_process import Heard, do, ended, items, silent

MIB = 1 << 20
LONG = 3600.0  # seconds: nobody waits for it


@pytest.fixture
def limit(actor: ModelProcess) -> int:
    """64 MiB more than a child holds that does nothing."""
    return resident(actor.pid) + 64 * MIB


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "EVERY", 0.01)
    monkeypatch.setattr(memory_module, "FAMILY_EVERY", 1)


async def test_a_child_that_holds_more_than_it_may_is_killed_and_says_so(spawn: Spawn, limit: int) -> None:
    child = await spawn(ACTOR, memory_limit=limit)
    with pytest.raises(ChildDied) as caught:
        await child.run(items(do("echo"), do("hoard", "128", seconds=LONG)), silent)
    assert caught.value.overgrown
    assert caught.value.reason.startswith("it held ")
    assert caught.value.reason.endswith(f"where CHILD_MEMORY_LIMIT allows {in_words(limit)}")
    assert not child.alive


async def test_a_child_below_its_limit_lives(spawn: Spawn, limit: int) -> None:
    child = await spawn(ACTOR, memory_limit=limit)
    await child.run(items(do("hoard", "16", seconds=0.1)), silent)
    assert child.alive


async def test_any_other_death_is_not_one_of_memory(spawn: Spawn, limit: int) -> None:
    child = await spawn(ACTOR, memory_limit=limit)
    with pytest.raises(ChildDied) as caught:
        await child.run(items(do("die")), silent)
    assert not caught.value.overgrown


async def test_what_its_processes_hold_counts_and_they_die_too(spawn: Spawn, limit: int) -> None:
    """Also one in a session of its own, which the signal to the group does not reach."""
    child, heard = await spawn(ACTOR, memory_limit=limit), Heard()
    with pytest.raises(ChildDied) as caught:
        await child.run(items(do("hoard_elsewhere", "128", seconds=LONG)), heard)
    assert caught.value.overgrown
    assert await ended(int(heard.progress[0].message or ""))


async def test_a_kill_reaches_a_process_in_a_session_of_its_own(spawn: Spawn) -> None:
    child, heard = await spawn(ACTOR), Heard()
    running = asyncio.create_task(child.run(items(do("hoard_elsewhere", "1", seconds=LONG)), heard))
    await heard.first.wait()
    other = int(heard.progress[0].message or "")
    assert {child.pid, other} <= family(child.pid)
    await child.kill()
    with pytest.raises(ChildDied):
        await running
    assert await ended(other)


async def test_what_forks_share_counts_once(spawn: Spawn, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, sizes = asyncio.Event(), list[int]()
    loop = asyncio.get_running_loop()
    exactly = MemoryWatch._exactly

    def noted(watch: MemoryWatch) -> int:
        sizes.append(exactly(watch))
        loop.call_soon_threadsafe(counted.set)
        return sizes[-1]

    monkeypatch.setattr(MemoryWatch, "_exactly", noted)
    child, heard = await spawn(ACTOR, memory_limit=limit), Heard()
    running = asyncio.create_task(child.run(items(do("hoard_twice", "40", seconds=LONG)), heard))
    async with asyncio.timeout(30):
        await heard.first.wait()
        await counted.wait()  # each by itself, they were too much
        child.cancel(0)
        assert await running == {0: Stopped()}
    assert max(sizes) <= limit


async def test_without_a_limit_nothing_is_too_much(actor: ModelProcess) -> None:
    assert not actor.memory.exceeded
    assert not actor.memory.half_used


async def test_half_of_the_room_is_counted_from_what_it_held_when_it_was_ready(spawn: Spawn, limit: int) -> None:
    child = await spawn(ACTOR, memory_limit=limit)
    await child.ready()
    assert abs(child.memory.base - resident(child.pid)) < 16 * MIB
    assert not child.memory.half_used
    await child.run(items(do("hoard", "48")), silent)
    assert child.memory.half_used
    assert not child.memory.exceeded


async def test_where_memory_runs_out_the_child_goes_before_its_parent(actor: ModelProcess) -> None:
    def score(of: int | str) -> int:
        return int(Path(f"/proc/{of}/oom_score_adj").read_text())

    assert score(actor.pid) == min(1000, score("self") + 300)


def test_a_process_that_is_gone_holds_nothing() -> None:
    assert (resident(2**22 + 1), proportional(2**22 + 1), family(2**22 + 1)) == (0, 0, set())


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**30, "1 GiB"), (2**60, "1.049e+06 TiB")]
)
def test_a_size_is_told_in_words(size: int, words: str) -> None:
    assert in_words(size) == words
