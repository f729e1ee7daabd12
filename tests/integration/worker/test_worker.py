"""The worker as a whole, in this process: how its parts act on each other, and how it ends (rules 6, 8 and 13)."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ml_service.settings import WorkerSettings
from ml_service.worker import claimer as claimer_module
from ml_service.worker import incarnation as incarnation_module
from ml_service.worker import lane as lane_module
from ml_service.worker import settler as settler_module
from ml_service.worker import worker as worker_module
from ml_service.worker.worker import Worker
from shared.database.moves import cancel_job
from shared.errors import BrokerUnavailable
from shared.states import JobState
from tests.contract.database.stage import OWNER, Stage, until
from tests.hand_broker import HandBroker, delivery
from tests.unit.ml_service.child.conftest import ZOO
from tests.unsteady_blobs import UnsteadyBlobs
from tests.unsteady_database import UnsteadyDatabase


class Plant:
    """A worker that serves the actor, whose broker and database are in the test's hands."""

    def __init__(self, worker: Worker, db: UnsteadyDatabase, stage: Stage, broker: HandBroker) -> None:
        self.worker = worker
        self.db = db
        self.stage = stage
        self.broker = broker
        self.task = asyncio.create_task(worker.run())

    async def deliver(self, do: str, *, model: str = "actor", **changes: Any) -> UUID:
        job_id = await self.stage.published(
            model=model, version=3, queue="stage", input=json.dumps({"do": do}), **changes
        )
        await self.broker.until(lambda: bool(self.broker.pulls), 60)
        self.broker.answer(delivery(job_id, model=model))
        return job_id

    async def reaches(self, job_id: UUID, state: JobState) -> None:
        async def reached() -> bool:
            return await self.stage.state(job_id) is state

        await until(reached, 30)

    async def computes(self, job_id: UUID) -> None:
        """The model has said that it is at it."""

        async def at_it() -> bool:
            return (await self.stage.row(job_id))["progress"] is not None

        await until(at_it, 30)

    async def beats(self) -> None:
        """Two heartbeats from now have been answered and acted upon."""
        for _ in range(2):
            before = self.db.asked["heartbeat"]
            await self.db.until(lambda before=before: self.db.asked["heartbeat"] > before)  # type: ignore[misc]

    async def ends(self) -> int:
        """-> its exit code."""
        async with asyncio.timeout(30):
            while not self.task.done():
                while self.broker.pulls:
                    self.broker.answer()
                await asyncio.sleep(0.001)
        return self.task.result()

    async def life(self) -> str:
        return str(await self.stage.connection.fetchval("SELECT state FROM workers ORDER BY started_at DESC LIMIT 1"))


Start = Callable[..., AbstractAsyncContextManager[Plant]]


@pytest.fixture
def start(
    db: UnsteadyDatabase,
    stage: Stage,
    broker: HandBroker,
    blobs: UnsteadyBlobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Start:
    shutil.copy(ZOO / "actor.py", tmp_path)
    monkeypatch.setattr(incarnation_module, "RETRY_AFTER", 0.001)
    monkeypatch.setattr(lane_module, "RETRY_AFTER", 0.001)
    monkeypatch.setattr(claimer_module, "RETRY_AFTER", 0.001)
    monkeypatch.setattr(settler_module, "RETRY_FIRST", 0.001)
    monkeypatch.setattr(worker_module, "PULLS_END", 0.0)

    @asynccontextmanager
    async def started(**settings: Any) -> AsyncIterator[Plant]:
        given: dict[str, Any] = {"models": "actor", "models_dir": tmp_path, "device": "cpu", "heartbeat_seconds": 0.02}
        worker = Worker(WorkerSettings(**{**given, **settings}, pubsub_pull_seconds=0.1), db, broker, blobs)
        plant = Plant(worker, db, stage, broker)
        try:
            yield plant
        finally:
            db.away = False
            worker.stop()
            worker.stop()
            await plant.ends()

    return started


async def row(plant: Plant, job_id: UUID) -> tuple[Any, ...]:
    """state, attempt, charged, alone, publish_no"""
    found = await plant.stage.row(job_id)
    return found["state"], found["attempt"], found["charged"], found["alone"], found["publish_no"]


async def test_it_serves_and_leaves_when_it_is_told_to(start: Start) -> None:
    """Rule 13: what runs may finish, and the exit code is 0."""
    async with start() as plant:
        done = await plant.deliver("echo")
        await plant.reaches(done, JobState.SUCCEEDED)
        running = await plant.deliver("hang")
        await plant.computes(running)
        plant.worker.stop()
        await cancel_job(plant.stage.db, OWNER, running)  # which ends it, and is learnt of by a heartbeat
        assert await plant.ends() == 0
        assert await plant.stage.state(running) is JobState.CANCELLED
        assert len(plant.broker.acked) == 2
        assert await plant.life() == "stopped"


async def test_what_does_not_finish_in_time_is_handed_back(start: Start) -> None:
    """Rule 13: through the row, uncharged."""
    async with start(drain_grace=0.05) as plant:
        running = await plant.deliver("hang_for_ever")
        await plant.computes(running)
        plant.worker.stop()
        assert await plant.ends() == 0
        assert await row(plant, running) == ("queued", 1, 0, False, 2)


async def test_what_a_last_pull_brings_is_left_to_the_broker(start: Start) -> None:
    """Rule 13: neither claimed nor acked."""
    async with start() as plant:
        await plant.broker.until(lambda: bool(plant.broker.pulls), 60)
        plant.worker.stop()
        late = await plant.deliver("echo")
        assert await plant.ends() == 0
        assert await row(plant, late) == ("queued", 0, 0, False, 1)
        assert plant.broker.acked == set()


async def test_a_job_whose_claim_is_under_way_is_finished(start: Start) -> None:
    """Rule 13: to its client it runs already."""
    async with start() as plant:
        answered = plant.db.hold["claim"] = asyncio.Event()
        job_id = await plant.deliver("echo")
        await plant.reaches(job_id, JobState.RUNNING)
        plant.worker.stop()
        ending = asyncio.create_task(plant.ends())
        await plant.beats()
        answered.set()
        assert await ending == 0
        assert (await row(plant, job_id))[:2] == ("succeeded", 1)


async def test_who_hurries_hands_back_too(start: Start) -> None:
    """Else the reconciler finds the jobs lost, and charges a lone attempt for that."""
    async with start(drain_grace=60) as plant:
        running = await plant.deliver("hang_for_ever")
        await plant.computes(running)
        await plant.stage.change(running, "alone = true")
        plant.worker.stop()
        plant.worker.stop()
        assert await plant.ends() == 0
        assert await row(plant, running) == ("queued", 1, 0, True, 2)


async def test_it_can_be_stopped_while_it_waits_for_the_database(start: Start) -> None:
    async with start() as plant:
        plant.db.refuse["register_worker"] = 1_000_000
        await plant.db.until(lambda: plant.db.asked["register_worker"] >= 2, 60)
        plant.worker.stop()
        assert await plant.ends() == 0


async def test_a_part_that_breaks_ends_it_with_an_error(start: Start) -> None:
    """Rule 13: it drains all the same."""
    async with start(drain_grace=0.05) as plant:
        await plant.broker.until(lambda: bool(plant.broker.pulls), 60)
        plant.broker.faults["pull"] = RuntimeError("a bug")
        job_id = await plant.deliver("hang_for_ever")
        assert await plant.ends() == 1
        found = await plant.stage.row(job_id)
        assert (found["state"], found["charged"], found["alone"]) == ("queued", 0, False)
        assert await plant.life() == "stopped"


async def test_a_settlement_that_breaks_ends_it_with_an_error_and_its_job_goes_back(start: Start) -> None:
    """Unseen, it would leave the job running for as long as the worker lives."""
    async with start() as plant:
        plant.db.faults["settle"] = RuntimeError("a bug")
        job_id = await plant.deliver("echo")
        assert await plant.ends() == 1
        assert await row(plant, job_id) == ("queued", 1, 0, False, 2)
        assert await plant.life() == "stopped"


async def test_work_on_the_side_that_breaks_ends_it_with_an_error(start: Start) -> None:
    async with start() as plant:
        plant.db.faults["put_back"] = RuntimeError("a bug")
        job_id = await plant.deliver("echo", model="stranger")
        assert await plant.ends() == 1
        assert await row(plant, job_id) == ("queued", 0, 0, False, 1)


async def test_a_database_that_is_away_ends_nothing(start: Start) -> None:
    """Rule 7: whatever waits for it goes on waiting."""
    async with start() as plant:
        for statement in ("claim", "start", "settle", "put_back", "heartbeat"):
            plant.db.refuse[statement] = 2
        strange, done = await plant.deliver("echo", model="stranger"), await plant.deliver("echo")
        await plant.reaches(done, JobState.SUCCEEDED)
        await plant.db.until(lambda: plant.db.asked["put_back"] == 3)
        await plant.broker.until(lambda: len(plant.broker.acked) == 2)
        assert await row(plant, strange) == ("queued", 0, 0, False, 2)
        assert not plant.task.done()


async def test_a_claim_whose_answer_was_lost_is_handed_back(start: Start) -> None:
    """Rule 6: the heartbeat brings it; nobody is charged, and the job is published again."""
    async with start() as plant:
        plant.db.lose["claim"] = 1
        job_id = await plant.deliver("echo")
        await plant.reaches(job_id, JobState.QUEUED)
        await plant.db.until(lambda: plant.db.asked["settle"] >= 1)
        await plant.reaches(job_id, JobState.QUEUED)
        assert await row(plant, job_id) == ("queued", 1, 0, False, 2)


async def test_a_claim_under_way_is_not_handed_back(start: Start) -> None:
    """Rule 6: its answer is still coming."""
    async with start() as plant:
        answered = plant.db.hold["claim"] = asyncio.Event()
        job_id = await plant.deliver("echo")
        await plant.reaches(job_id, JobState.RUNNING)
        await plant.beats()
        assert await row(plant, job_id) == ("running", 1, 0, False, 1)
        answered.set()
        await plant.reaches(job_id, JobState.SUCCEEDED)
        assert (await row(plant, job_id))[1] == 1


async def test_a_cancelled_job_is_stopped_by_the_next_heartbeat(start: Start) -> None:
    """Rule 8."""
    async with start() as plant:
        job_id = await plant.deliver("hang")
        await plant.computes(job_id)
        await cancel_job(plant.stage.db, OWNER, job_id)
        await plant.reaches(job_id, JobState.CANCELLED)


async def test_a_job_is_cancelled_while_its_model_loads_again(start: Start) -> None:
    """Rule 8: nothing has to stop, so it does not take until the model is there."""
    async with start() as plant:
        await plant.broker.until(lambda: bool(plant.broker.pulls), 60)
        (keeper,) = plant.worker._keepers
        keeper._settled.clear()  # loads, and goes on loading
        job_id = await plant.deliver("hang_for_ever")
        await plant.reaches(job_id, JobState.RUNNING)
        await cancel_job(plant.stage.db, OWNER, job_id)
        await plant.reaches(job_id, JobState.CANCELLED)
        assert not keeper._settled.is_set()
        keeper._settled.set()


async def test_who_is_declared_dead_stops_its_work_and_serves_on_under_another_name(start: Start) -> None:
    """Rule 6. The late settlement is refused: the row has gone on without it."""
    async with start(cancel_grace=0.0) as plant:
        running = await plant.deliver("hang_for_ever")
        await plant.computes(running)
        (old,) = await plant.stage.connection.fetch("SELECT id FROM workers")
        await plant.stage.dead(old["id"])
        await plant.stage.requeue_orphans()
        await plant.db.until(lambda: plant.db.asked["settle"] >= 1)
        next_one = await plant.deliver("echo")
        await plant.reaches(next_one, JobState.SUCCEEDED)
        assert await row(plant, running) == ("queued", 1, 0, True, 2)
        assert await plant.life() == "alive"
        assert plant.worker._incarnation.id != old["id"]


async def test_a_job_for_a_model_that_is_not_here_is_put_back(start: Start) -> None:
    """Rule 5: several workers share a queue."""
    async with start() as plant:
        job_id = await plant.deliver("echo", model="stranger")
        await plant.db.until(lambda: plant.db.asked["put_back"] >= 1)
        await plant.broker.until(lambda: len(plant.broker.acked) == 1)
        assert await row(plant, job_id) == ("queued", 0, 0, False, 2)


async def test_work_goes_on_while_the_broker_is_away(start: Start) -> None:
    """An ack that is lost does no harm."""
    async with start() as plant:
        plant.broker.faults["acknowledge"] = plant.broker.faults["extend"] = BrokerUnavailable("away")
        job_id = await plant.deliver("echo")
        await plant.reaches(job_id, JobState.SUCCEEDED)
        await plant.broker.until(lambda: plant.broker.calls["acknowledge"] >= 1)
        plant.broker.faults.clear()
        await plant.broker.until(lambda: bool(plant.broker.pulls))
        again = delivery(job_id, model="actor")
        plant.broker.answer(again)
        await plant.broker.until(lambda: again.ack_id in plant.broker.acked)
        assert (await row(plant, job_id))[:2] == ("succeeded", 1)


async def test_a_model_that_the_database_does_not_take_keeps_no_other_from_serving(
    start: Start, tmp_path: Path
) -> None:
    shutil.copy(ZOO / "unstorable.py", tmp_path)
    async with start(models="actor,unstorable") as plant:
        await plant.reaches(await plant.deliver("echo"), JobState.SUCCEEDED)
        told = json.loads(await plant.stage.connection.fetchval("SELECT models FROM workers"))
    (refused,) = [one for one in told if one["name"] == "unstorable"]
    assert refused["state"] == "failed"
    assert refused["error"].startswith("unstorable version 1 says what the database does not take (")
