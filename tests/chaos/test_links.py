"""Lines to the database and the broker that are cut, or silent: nothing hangs for ever, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.chaos.conftest import Stage
from tests.chaos.rig import Target
from tests.chaos.scene import Scene
from tests.link import Way

# The time-outs: 12 s for a statement and as many for its cancellation, 10 s for a call of the broker, 25 s for its line.
IN_TIME = 60.0


@pytest.fixture(scope="module")
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    async with stage() as made:
        yield made


@pytest.fixture(autouse=True)
async def healed(scene: Scene) -> AsyncIterator[None]:
    yield
    for link in scene.rig.links.values():
        link.heal()


async def settled_in_time(scene: Scene) -> None:
    await scene.ends_well(IN_TIME)


@pytest.mark.parametrize("target", Target)
async def test_cut_lines_are_made_anew(scene: Scene, target: Target) -> None:
    (running,) = await scene.submit(1, seconds=2)
    await scene.customer.reaches(running, "running")
    for link in scene.rig.links_of(target):
        link.cut()
    await scene.submit(5)
    await settled_in_time(scene)


async def test_an_api_whose_connections_to_the_database_are_stranded_serves_and_reconciles_again(scene: Scene) -> None:
    """Its pool, the connection that listens, and the reconciler's transaction: none of them may wait for ever."""
    (running,) = await scene.submit(1, seconds=1)
    await scene.customer.reaches(running, "running")
    (link,) = scene.rig.links_of(Target.DATABASE, "api")
    link.strand()
    scene.rig.kill("worker-1")
    async with asyncio.timeout(IN_TIME):
        await scene.submit(3)
    await settled_in_time(scene)


async def test_a_worker_whose_connections_to_the_database_are_stranded_works_on(scene: Scene) -> None:
    (running,) = await scene.submit(1, seconds=2)
    await scene.customer.reaches(running, "running")
    (link,) = scene.rig.links_of(Target.DATABASE, "worker-1")
    link.strand()
    await scene.submit(3)
    await settled_in_time(scene)


async def test_stranded_connections_to_the_broker_are_given_up(scene: Scene) -> None:
    for link in scene.rig.links_of(Target.BROKER):
        link.strand()
    await scene.submit(3)
    await settled_in_time(scene)


@pytest.mark.parametrize("way", Way)
async def test_a_worker_that_the_database_does_not_hear_or_answer_comes_back_to_right_rows(
    scene: Scene, way: Way
) -> None:
    """There: its claims and settlements arrive late. Back: they happen, and it is not told."""
    (running,) = await scene.submit(1, seconds=1)
    await scene.customer.reaches(running, "running")
    (link,) = scene.rig.links_of(Target.DATABASE, "worker-1")
    link.silence(way)
    await scene.submit(3)
    await scene.rig.truth.until("SELECT NOT EXISTS (SELECT FROM workers WHERE state = 'alive')", within=IN_TIME)
    link.heal()
    await settled_in_time(scene)
