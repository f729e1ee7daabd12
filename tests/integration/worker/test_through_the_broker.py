"""Relay, Pub/Sub and worker together: every job once, however often its message comes."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from api_service.broker_health import BrokerHealth
from api_service.relay import Relay
from deploy.local.emulator import Emulator
from ml_service.settings import WorkerSettings
from ml_service.worker.worker import Worker
from shared.broker.pubsub import Pubsub
from shared.database.submission import insert_jobs
from shared.queues import Provisioner
from tests.contract.database.stage import Stage, new_job, until
from tests.integration.backstage.going_on import going_on
from tests.unit.ml_service.child.conftest import ZOO
from tests.unsteady_blobs import UnsteadyBlobs

JOBS = 60


@pytest.fixture
async def pubsub(emulator: Emulator) -> AsyncIterator[tuple[Pubsub, Pubsub]]:
    """One for the API, one for the worker."""
    async with AsyncExitStack() as stack:
        both = []
        for _ in range(2):
            one = await Pubsub.connect("integration", emulator.host, "through-", pull_seconds=0.5)
            stack.push_async_callback(one.close)
            both.append(one)
        yield both[0], both[1]


async def test_each_job_is_run_once_though_all_messages_come_twice(
    pubsub: tuple[Pubsub, Pubsub], stage: Stage, tmp_path: Path, blobs: UnsteadyBlobs
) -> None:
    """Rules 2 and 5: the queue is made by whoever misses it first; duplicates find their rows taken, and are acked."""
    ours, theirs = pubsub
    shutil.copy(ZOO / "actor.py", tmp_path)
    relay = Relay(stage.db, ours, BrokerHealth(), Provisioner(ours, stage.db, allowed=True))
    worker = Worker(WorkerSettings(models="actor", models_dir=tmp_path, device="cpu"), stage.db, theirs, blobs)
    jobs = [
        new_job(model="actor", version=3, queue="stage", input=json.dumps({"text": str(number)}))
        for number in range(JOBS)
    ]
    await insert_jobs(stage.db, jobs)
    running = asyncio.create_task(worker.run())
    async with going_on(relay):
        relay.offer(jobs)
        relay.offer(jobs)

        async def all_done() -> bool:
            return {row["state"] for row in await stage.rows()} == {"succeeded"}

        await until(all_done, 40)
    rows = {row["id"]: row for row in await stage.rows()}
    assert [json.loads(rows[job.id]["result"])["text"] for job in jobs] == [str(number) for number in range(JOBS)]
    assert {row["attempt"] for row in rows.values()} == {1}
    worker.stop()
    async with asyncio.timeout(20):
        assert await running == 0
    assert len(worker._desk) == 0
