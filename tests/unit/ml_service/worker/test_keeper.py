"""Keeping a model's process: started, started again, and its state told."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ml_service.child import memory as memory_module
from ml_service.child.errors import ModelLoadFailed
from ml_service.discovery import ModelReference
from ml_service.worker import keeper as keeper_module
from ml_service.worker.keeper import ChildKeeper, ChildSettings
from shared.catalogue import ModelState
from shared.errors import InvalidModel
from shared.settings import BlobSettings
from tests.unit.ml_service.child.conftest import ACTOR, animal
from tests.unit.ml_service.child.test_process import do, items, silent

READY, FAILED, LOADING = ModelState.READY, ModelState.FAILED, ModelState.LOADING


class Watch:
    """What a keeper said of its state, whenever it changed."""

    def __init__(self) -> None:
        self.keeper: ChildKeeper | None = None
        self.states: list[ModelState] = []
        self._changed = asyncio.Event()

    def __call__(self) -> None:
        assert self.keeper is not None
        self.states.append(self.keeper.state)
        self._changed.set()

    async def has_seen(self, *states: ModelState) -> None:
        async with asyncio.timeout(30):
            while self.states[: len(states)] != [*states]:
                self._changed.clear()
                await self._changed.wait()


Keep = Callable[..., Awaitable[tuple[ChildKeeper, Watch]]]


@pytest.fixture
async def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keep]:
    """Spawns a model; it is kept up until the test ends."""
    monkeypatch.setattr(keeper_module, "RETRY_FIRST", 0.001)
    async with AsyncExitStack() as stack:

        async def kept(reference: ModelReference, **limits: int) -> tuple[ChildKeeper, Watch]:
            watch = Watch()
            settings = ChildSettings(tmp_path, "cpu", 0, BlobSettings(), **limits)
            keeper = await ChildKeeper.spawn(reference, settings, watch)
            watch.keeper = keeper
            stack.push_async_callback(keeper.stop, 0.0)
            task = asyncio.create_task(keeper.run())

            async def end() -> None:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

            stack.push_async_callback(end)
            return keeper, watch

        yield kept


async def test_the_child_is_there_once_it_is_ready(keep: Keep) -> None:
    keeper, watch = await keep(ACTOR)
    assert keeper.state is LOADING
    child = await keeper.child()
    assert child.alive
    assert (keeper.state, keeper.error, keeper.device) == (READY, None, "cpu")
    assert watch.states == [READY]
    assert (keeper.description.name, keeper.batching.max_size) == ("actor", 32)


async def test_a_class_that_is_no_model_is_refused(keep: Keep) -> None:
    with pytest.raises(InvalidModel):
        await keep(animal("nameless", "Nameless"))


@pytest.mark.parametrize(("file", "name"), [("unloadable", "Unloadable"), ("dies_loading", "DiesLoading")])
async def test_a_model_that_cannot_be_loaded_says_so_and_is_tried_again(keep: Keep, file: str, name: str) -> None:
    keeper, watch = await keep(animal(file, name))
    with pytest.raises(ModelLoadFailed):
        await keeper.child()
    assert keeper.error
    await watch.has_seen(FAILED, FAILED)
    assert keeper.failures >= 2


async def test_a_model_whose_files_arrive_later_is_served(keep: Keep, tmp_path: Path) -> None:
    keeper, watch = await keep(animal("unloadable", "Unloadable"))
    await watch.has_seen(FAILED)
    files = tmp_path / "unloadable" / "1"
    files.mkdir(parents=True)
    (files / "weights.safetensors").write_bytes(b"")
    async with asyncio.timeout(30):
        while keeper.state is not READY:
            watch._changed.clear()
            await watch._changed.wait()
    assert (await keeper.child()).alive
    assert (keeper.error, keeper.failures) == (None, 0)


async def test_a_child_that_dies_between_two_batches_is_noticed_and_replaced(keep: Keep) -> None:
    """Else the next batch would pay for it, and a lone attempt would be charged."""
    keeper, watch = await keep(ACTOR)
    old = await keeper.child()
    os.kill(old.pid, signal.SIGKILL)
    await watch.has_seen(READY, LOADING, READY)
    new = await keeper.child()
    assert new.alive
    assert new.pid != old.pid


async def test_a_child_whose_death_two_have_noticed_is_replaced_once(keep: Keep) -> None:
    """Who ran a batch, and the keeper itself; the new child must not pay for the second notice."""
    keeper, watch = await keep(ACTOR)
    old = await keeper.child()
    await old.kill()
    keeper.replace(old)
    await watch.has_seen(READY, LOADING)
    keeper.replace(old)
    new = await keeper.child()
    keeper.replace(old)
    assert watch.states == [READY, LOADING, READY]
    assert new is await keeper.child()
    assert new.alive


async def test_who_waits_for_a_child_that_is_being_replaced_gets_the_new_one(keep: Keep) -> None:
    keeper, _ = await keep(ACTOR)
    old = await keeper.child()
    keeper.replace(old)
    waiting = asyncio.create_task(keeper.child())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await asyncio.wait_for(waiting, 30) is not old
    assert not old.alive


async def test_a_failed_model_stays_failed_until_the_next_try_has_ended(keep: Keep) -> None:
    """Jobs are not called in for a model that has never come up."""
    _, watch = await keep(animal("dies_loading", "DiesLoading"))
    await watch.has_seen(FAILED, FAILED, FAILED)


async def test_a_child_that_has_done_its_part_is_replaced_and_ends_in_good_order(keep: Keep) -> None:
    keeper, watch = await keep(ACTOR, max_jobs=3)
    old = await keeper.child()
    await old.run(items(do("echo"), do("echo")), silent)
    keeper.retire(old)
    assert await keeper.child() is old
    await old.run(items(do("echo"), do("echo")), silent)
    keeper.retire(old)
    new = await keeper.child()
    assert (new is not old, new.jobs, new.alive) == (True, 0, True)
    assert old._death == "exited with code 0"
    assert watch.states == [READY, LOADING, READY]


async def test_without_a_limit_a_child_lives_on(keep: Keep) -> None:
    keeper, _ = await keep(ACTOR)
    old = await keeper.child()
    await old.run(items(*[do("echo")] * 32), silent)
    keeper.retire(old)
    assert await keeper.fit_child(alone=True) is old


@pytest.fixture
async def frugal(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> ChildKeeper:
    """May hold 64 MiB more than it does when it is ready; nobody looks while it works."""
    monkeypatch.setattr(memory_module, "EVERY", 3600.0)
    keeper, _ = await keep(ACTOR, memory_limit=1 << 40)
    child = await keeper.child()
    child.memory.limit = child.memory.base + (64 << 20)
    return keeper


async def test_a_child_that_grew_too_large_is_replaced_between_two_batches(frugal: ChildKeeper) -> None:
    """Its last batch has succeeded: nobody is hurt."""
    old = await frugal.child()
    await old.run(items(do("hoard", "96")), silent)
    frugal.retire(old)
    assert await frugal.child() is not old


async def test_who_runs_alone_starts_with_at_least_half_of_the_room(frugal: ChildKeeper) -> None:
    """Else it might be charged for what others have left behind."""
    old = await frugal.child()
    assert await frugal.fit_child(alone=True) is old
    await old.run(items(do("hoard", "48")), silent)
    assert await frugal.fit_child(alone=False) is old
    assert await frugal.fit_child(alone=True) is not old


async def test_a_dead_child_is_never_handed_out(keep: Keep) -> None:
    """A lone attempt would be charged for its end."""
    keeper, _ = await keep(ACTOR)
    old = await keeper.child()
    old._send_kill()
    await old._process.wait()
    new = await keeper.fit_child(alone=True)
    assert (new is not old, new.alive) == (True, True)
