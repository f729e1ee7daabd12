"""What a broker may do to a message: the row decides."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from deploy.local.brokers import OFFICIAL
from deploy.local.emulator import Installation
from deploy.local.standin.control import Fault, Kind
from tests.chaos.conftest import Stage
from tests.chaos.scene import Scene


@pytest.fixture(scope="module")
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    async with stage(workers=2) as made:
        yield made


@pytest.fixture(autouse=True)
async def withdrawn(scene: Scene) -> AsyncIterator[None]:
    yield
    assert scene.rig.control is not None
    await scene.rig.control.withdraw()


async def misbehaves(scene: Scene, fault: Fault) -> None:
    assert scene.rig.control is not None
    await scene.rig.control.inject(fault)


async def test_a_message_that_is_delivered_three_times_at_once_is_one_attempt(scene: Scene) -> None:
    """Were two to claim it, its trail would go from `running` to `running`."""
    await misbehaves(scene, Fault(kind=Kind.REPEAT, copies=2))
    await scene.submit(30, seconds=0.05)
    await scene.ends_well()
    assert scene.rig.control is not None
    assert (await scene.rig.control.report()).injected[Kind.REPEAT] >= 30


async def test_lost_messages_are_published_again(scene: Scene) -> None:
    await misbehaves(scene, Fault(kind=Kind.DROP, limit=20))
    await scene.submit(25)
    await scene.ends_well()


@pytest.mark.parametrize("method", ["Publish", "Pull", "Acknowledge"])
@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.HANG])
async def test_calls_that_fail_or_hang_are_repeated(scene: Scene, kind: Kind, method: str) -> None:
    await misbehaves(scene, Fault(kind=kind, method=method, limit=3, seconds=0.0))
    await scene.submit(5)
    await scene.ends_well()


async def test_googles_emulator_may_be_killed_while_jobs_are_on_their_way(
    stage: Stage, emulator_installation: Installation
) -> None:
    async with stage(broker=OFFICIAL) as official:
        await official.submit(20, seconds=0.05)
        await official.rig.kill_and_wait("broker")
        await official.submit(20)
        await official.ends_well(90)


async def test_nothing_is_lost_while_the_broker_is_away(scene: Scene) -> None:
    """Submissions are answered all the same."""
    await scene.rig.system.stop("broker")
    async with asyncio.timeout(30):
        await scene.submit(10)
    await scene.rig.system.start("broker")
    await scene.ends_well()
