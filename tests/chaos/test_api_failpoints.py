"""An API process dies between two steps, at each place where that matters, and everything ends as promised."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.failpoints import Failpoint
from tests.chaos.conftest import Stage
from tests.chaos.ledger import order
from tests.chaos.scene import Scene
from tests.integration.webhooks.receiver import receiving


@pytest.fixture(scope="module")
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    async with stage() as made:
        yield made


@pytest.mark.parametrize("failpoint", [Failpoint.API_INSERTING, Failpoint.API_INSERTED])
async def test_an_api_that_dies_before_it_answers_stores_once_what_is_repeated(
    scene: Scene, failpoint: Failpoint
) -> None:
    """A job, and then a batch: both with their client's key."""
    for submitted in (scene.submit(1), scene.customer.submit_batch([order() for _ in range(10)])):
        pid, repeated = await scene.dies_at("api", failpoint), scene.customer.repeated
        await submitted
        assert scene.rig.pid("api") != pid
        assert scene.customer.repeated > repeated
    await scene.ends_well()


@pytest.mark.parametrize("failpoint", [Failpoint.RELAY_LEASED, Failpoint.RELAY_PUBLISHED])
async def test_what_a_dead_relay_had_in_hand_is_published_by_the_next(scene: Scene, failpoint: Failpoint) -> None:
    pid = await scene.dies_at("api", failpoint)
    await scene.submit(3)
    await scene.rig.restarted("api", pid)
    await scene.ends_well()


async def test_a_tick_that_does_not_come_to_its_end_has_not_been(scene: Scene) -> None:
    pid = await scene.dies_at("api", Failpoint.RECONCILER_REQUEUED)
    (running,) = await scene.submit(1, seconds=2)
    await scene.customer.reaches(running, "running")
    scene.rig.kill("worker-1")
    await scene.rig.restarted("api", pid)
    await scene.ends_well()
    assert (await scene.customer.get(running))["attempt"] >= 2


async def test_a_webhook_that_was_called_and_not_noted_is_called_again_under_the_same_id(scene: Scene) -> None:
    async with receiving() as receiver:
        pid = await scene.dies_at("api", Failpoint.WEBHOOK_CALLED)
        await scene.customer.submit(order(webhook={"url": f"http://127.0.0.1:{receiver.port}/"}))
        first = await receiver.next()
        await scene.rig.restarted("api", pid)
        async with asyncio.timeout(60):  # the lease of a delivery: the time for a call, and 15 s to note it
            while receiver.nothing_came():
                await asyncio.sleep(0.1)
        second = await receiver.next()
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    await scene.ends_well()
