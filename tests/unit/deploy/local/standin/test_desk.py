"""Those who wait, on a real loop with a clock in the test's hands."""

import asyncio
from typing import Any

import pytest

from deploy.local.standin.desk import Desk
from deploy.local.standin.errors import NotThere
from deploy.local.standin.message import Consumer, Delivery
from tests.unit.deploy.local.standin.scene import Scene, text


def waiting(desk: Desk, consumer: Consumer | None = None, **options: Any) -> "asyncio.Task[list[Delivery]]":
    return asyncio.create_task(desk.wait(consumer or Consumer(), 10, **options))


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def desk(scene: Scene) -> Desk:
    return Desk(scene.queue, scene.clock)


async def test_what_is_there_is_had_at_once(scene: Scene, desk: Desk) -> None:
    scene.add("a", "b")
    assert [text(one) for one in await desk.wait(Consumer(), 10)] == ["a", "b"]


async def test_what_was_given_in_the_moment_of_a_cancellation_goes_to_the_next(scene: Scene, desk: Desk) -> None:
    first, second = waiting(desk), waiting(desk)
    await asyncio.sleep(0)
    scene.add("a")
    desk.serve()
    first.cancel()
    assert [text(one) for one in await second] == ["a"]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_who_waits_for_another_key_holds_up_nobody() -> None:
    scene = Scene(ordered=True)
    desk = Desk(scene.queue, scene.clock)
    holder = Consumer()
    scene.add("a1", "a2", key="a")
    scene.take(1, holder)
    stranger, theirs = waiting(desk), waiting(desk, holder)
    assert [text(one) for one in await theirs] == ["a2"]
    assert not stranger.done()
    desk.close(NotThere("x"))
    await asyncio.wait([stranger])
    assert isinstance(stranger.exception(), NotThere)


async def test_patience_ends_without_an_error(desk: Desk) -> None:
    assert await desk.wait(Consumer(), 10, patience=0.0) == []
    assert not desk._waiting


async def test_a_timer_that_is_no_longer_right_is_set_anew(scene: Scene, desk: Desk) -> None:
    """An earlier deadline comes after a later one was set."""
    scene.queue.add(scene.message("late"), delay=60.0)
    task = waiting(desk)
    await asyncio.sleep(0)
    scene.queue.add(scene.message("soon"), delay=0.01)
    desk.serve()
    scene.clock.now += 1
    async with asyncio.timeout(5):
        assert [text(one) for one in await task] == ["soon"]
    desk.close(NotThere("x"))
