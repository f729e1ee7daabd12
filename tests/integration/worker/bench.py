"""A worker's parts, put together as `Worker` does it, but moved by hand."""

from collections.abc import Collection, Sequence
from uuid import UUID

from ml_service.worker.attempts import Attempt, Batch, HeldAttempts
from ml_service.worker.claimer import Claimer
from ml_service.worker.desk import Desk, InHand
from ml_service.worker.event_writer import EventWriter
from ml_service.worker.incarnation import Incarnation, Report
from ml_service.worker.large_results import LargeResults
from ml_service.worker.runner import Runner
from ml_service.worker.settler import Settler
from shared.database.leases import Held
from shared.queues import Provisioner
from tests.contract.database.stage import Stage
from tests.hand_broker import HandBroker, delivery
from tests.unsteady_blobs import UnsteadyBlobs
from tests.unsteady_database import UnsteadyDatabase

LEASE = 30.0
INLINE_LIMIT = 1000  # bytes of a result
GRACE = 0.05  # seconds that a cancelled job gets to stop by itself
BATCH_GRACE = 0.1  # seconds that it may wait for the rest of its batch


class Bench:
    """held_reports, deaths: what the heartbeat told."""

    def __init__(self, db: UnsteadyDatabase, stage: Stage, broker: HandBroker, blobs: UnsteadyBlobs) -> None:
        self.db = db
        self.stage = stage
        self.broker = broker
        self.blobs = blobs
        self.serves: set[tuple[str, int]] = {("echo", 1), ("actor", 3)}
        self.held_reports: list[Collection[Held]] = []
        self.deaths = 0
        self.desk = Desk(broker, Provisioner(broker, db, allowed=True))
        self.held = HeldAttempts()
        self.events = EventWriter(db, cap=1000)
        self.results = LargeResults(blobs, INLINE_LIMIT)
        self.settler = Settler(db, self.held, self.desk, self.events, self.results)
        self.incarnation = Incarnation(
            db, lambda: Report("cpu", [], []), self.held_reports.append, self._died, LEASE, interval=3600
        )
        self.claimer = Claimer(db, self.desk, self.held, self.incarnation, lambda: self.serves)
        self.runner = Runner(
            db,
            self.incarnation,
            self.held,
            self.desk,
            self.settler,
            self.results,
            cancel_grace=GRACE,
            batch_grace=BATCH_GRACE,
        )

    async def in_hand(self, *job_ids: UUID, publish_no: int = 1, model: str = "echo") -> list[InHand]:
        """Their messages have come."""
        return await self.desk.take_in("echo", [delivery(one, publish_no, model=model) for one in job_ids])

    async def attempts(self, *job_ids: UUID, model: str = "echo", version: int = 1) -> list[Attempt]:
        """Claimed through the claimer, in the order given."""
        claimed, again = await self.claimer.claim(model, version, await self.in_hand(*job_ids, model=model))
        assert not again
        return sorted(claimed, key=lambda attempt: job_ids.index(attempt.claimed.id))

    async def batch(self, inputs: Sequence[str], *, alone: bool = False, timeout: float = 60.0) -> Batch:
        """Jobs of the actor with these inputs (JSON), published and claimed."""
        job_ids = [
            await self.stage.published(model="actor", version=3, input=one, execution_timeout=timeout) for one in inputs
        ]
        if alone:
            for job_id in job_ids:
                await self.stage.change(job_id, "alone = true")
        return Batch(await self.attempts(*job_ids, model="actor", version=3), alone=alone)

    async def acked(self) -> set[str]:
        await self.desk.flush_acks()
        return self.broker.acked

    def _died(self) -> None:
        self.deaths += 1
