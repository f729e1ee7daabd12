"""A worker dies between two steps, at each place where that matters, and everything ends as promised."""

import os
import signal
from collections.abc import AsyncIterator

import pytest

from shared.failpoints import Failpoint
from tests.chaos.conftest import Stage
from tests.chaos.ledger import order
from tests.chaos.rig import INLINE
from tests.chaos.scene import Scene

WITH_A_BATCH = (
    Failpoint.WORKER_CLAIMED,
    Failpoint.WORKER_STARTED,
    Failpoint.WORKER_COMPUTED,
    Failpoint.WORKER_SETTLED,
)


@pytest.fixture(scope="module")
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    async with stage() as made:
        yield made


@pytest.mark.parametrize("failpoint", WITH_A_BATCH)
async def test_a_worker_that_dies_with_a_batch_loses_nothing(scene: Scene, failpoint: Failpoint) -> None:
    pid = await scene.dies_at("worker-1", failpoint)
    await scene.submit(5)
    await scene.rig.restarted("worker-1", pid)
    await scene.ends_well()


async def test_a_large_result_that_no_row_points_at_is_computed_again(scene: Scene) -> None:
    pid = await scene.dies_at("worker-1", Failpoint.WORKER_STORED)
    one = await scene.customer.submit(order(bulk=2 * INLINE))
    await scene.rig.restarted("worker-1", pid)
    await scene.ends_well()
    assert (await scene.customer.get(one))["attempt"] >= 2


async def test_a_worker_that_dies_before_it_notes_a_start_charges_nobody(scene: Scene) -> None:
    pid = await scene.dies_at("worker-1", Failpoint.WORKER_STARTING)
    (first,) = await scene.submit(1)  # from it the worker learns that batches are short, and claims ahead
    await scene.customer.finished(first)
    (running,) = await scene.submit(1, seconds=4)  # meanwhile the next one is claimed
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
