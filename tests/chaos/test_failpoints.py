"""A process dies between two steps, at each place where that matters, and everything ends as promised."""

import os
import signal
from collections.abc import AsyncIterator

import pytest

from shared.failpoints import Failpoint
from tests.chaos.conftest import Stage
from tests.chaos.ledger import order
from tests.chaos.scene import Scene


@pytest.fixture(scope="module")
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    async with stage() as made:
        yield made


@pytest.mark.parametrize(
    "failpoint",
    [
        Failpoint.WORKER_CLAIMED,
        Failpoint.WORKER_STARTED,
        Failpoint.WORKER_COMPUTED,
        Failpoint.WORKER_SETTLED,
    ],
)
async def test_a_worker_that_dies_with_a_batch_loses_nothing(scene: Scene, failpoint: Failpoint) -> None:
    pid = await scene.dies_at("worker-1", failpoint)
    await scene.submit(5)
    await scene.rig.restarted("worker-1", pid)
    await scene.ends_well()


async def test_a_worker_that_dies_before_it_notes_a_start_charges_nobody(scene: Scene) -> None:
    pid = await scene.dies_at("worker-1", Failpoint.WORKER_STARTING)
    (first,) = await scene.submit(1)  # from it the worker learns that batches are short, and claims ahead
    await scene.customer.finished(first)
    (running,) = await scene.submit(1, seconds=1.5)
    await scene.customer.reaches(running, "running")
    (waiting,) = await scene.submit(1)
    await scene.rig.restarted("worker-1", pid)
    await scene.ends_well()
    assert (await scene.customer.get(waiting))["charged"] == 0


async def test_a_worker_that_dies_while_it_drains_loses_nothing(scene: Scene) -> None:
    pid = await scene.dies_at("worker-1", Failpoint.WORKER_DRAINING)
    (running,) = await scene.submit(1, seconds=1)
    await scene.customer.reaches(running, "running")
    await scene.submit(3)
    os.kill(pid, signal.SIGTERM)
    await scene.rig.restarted("worker-1", pid)
    await scene.ends_well()


async def test_an_api_that_dies_before_it_answers_has_stored_the_job_once(scene: Scene) -> None:
    pid = await scene.dies_at("api", Failpoint.API_INSERTED)
    await scene.submit(1)
    assert scene.rig.pid("api") != pid
    assert scene.customer.repeated
    await scene.ends_well()


async def test_an_api_that_dies_before_it_answers_has_stored_the_batch_once(scene: Scene) -> None:
    pid = await scene.dies_at("api", Failpoint.API_INSERTED)
    await scene.customer.submit_batch([order() for _ in range(10)])
    assert scene.rig.pid("api") != pid
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
    assert (await scene.customer.get(running))["attempt"] == 2
