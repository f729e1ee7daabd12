"""Rule 13: three workers and two APIs are restarted one after the other, under load. Clients repeat a request, and that is all."""

import asyncio

import pytest

from tests.chaos.checker import kept
from tests.chaos.conftest import Stage
from tests.chaos.load import Load

RATE = 15.0  # jobs a second
# A busy machine must not be taken for a dead worker: nobody is to die here.
PATIENT = {"LEASE_SECONDS": "10", "HEARTBEAT_SECONDS": "2"}
BETWEEN = 10  # jobs that are ordered between one restart and the next


@pytest.mark.timeout(360)
async def test_a_rolling_restart_of_three_workers_and_two_apis_loses_and_doubles_nothing(stage: Stage) -> None:
    async with stage(apis=2, workers=3, env=PATIENT) as scene:
        load = Load(scene.rig.system.urls, scene.ledger, rate=RATE, clients=4, seed=5)
        loading = asyncio.create_task(load.run())
        try:
            for part in [*scene.rig.workers, *scene.rig.apis]:
                await scene.ordered(BETWEEN)
                await scene.rig.system.stop(part)
                await scene.ordered(BETWEEN)
                await scene.rig.system.start(part)
            await scene.ordered(BETWEEN)
            load.finish()
            async with asyncio.timeout(90):
                await loading
        finally:
            loading.cancel()
            await asyncio.wait({loading})
        await scene.rig.drained()
        verdict = await kept(scene.rig.truth, scene.ledger, scene.rig.blobs)
        assert verdict.states["succeeded"] > verdict.jobs * 0.8
        # Nobody died, so nobody's work was lost: what was put back was put back in good order.
        assert not await scene.rig.truth.fetch('SELECT id FROM jobs WHERE history @> \'[{"code": "worker_lost"}]\'')
        assert not await scene.rig.truth.fetch("SELECT id FROM workers WHERE state = 'dead'")
