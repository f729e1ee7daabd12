"""A worker whose every step a test decides."""

from uuid import UUID

from uuid_utils.compat import uuid7

from shared.catalogue import ModelState, ServedModel
from shared.database.attempt_events import AttemptEvents, write_events
from shared.database.claims import claim, start
from shared.database.entries import Ending
from shared.database.leases import register_worker
from shared.database.pool import Database
from shared.database.settlement import Settlement, settle
from shared.events import EventType, NewEvent
from shared.job import JsonText, Progress
from shared.states import ErrorCode, JobState
from tests.contract.database.telling import write_progress


class HandWorker:
    """Serves `reverse` version 1 and `anything` version 2, if told to."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.id = uuid7()

    async def join(self, *models: ServedModel) -> None:
        served = models or (ServedModel("reverse", 1, ModelState.READY),)
        await register_worker(self._db, self.id, name="by hand", device="cpu", lease=60, models=served)

    async def begin(self, job_id: str, model: str = "reverse", version: int = 1) -> int:
        """Claims the job and starts it. -> the attempt."""
        (claimed,) = await claim(self._db, self.id, model, version, [UUID(job_id)])
        await start(self._db, self.id, [(claimed.id, claimed.attempt)])
        return claimed.attempt

    async def report(self, job_id: str, attempt: int, fraction: float) -> None:
        assert await write_progress(self._db, [(UUID(job_id), attempt, Progress(fraction))])

    async def say(self, job_id: str, attempt: int, *lines: str) -> None:
        events = [NewEvent(EventType.LOG, {"level": "info", "message": line}) for line in lines]
        assert await write_events(self._db, [AttemptEvents(UUID(job_id), attempt, events)], cap=100_000)

    async def succeed(self, job_id: str, attempt: int, result: JsonText) -> None:
        await self._settle(Settlement(UUID(job_id), attempt, Ending.SUCCEEDED, result=result))

    async def fail(self, job_id: str, attempt: int) -> None:
        broken = Settlement(UUID(job_id), attempt, Ending.FAILED, code=ErrorCode.INVALID_INPUT, message="not good")
        assert await self._settle(broken) is JobState.FAILED

    async def stop(self, job_id: str, attempt: int) -> None:
        assert await self._settle(Settlement(UUID(job_id), attempt, Ending.STOPPED)) is JobState.CANCELLED

    async def _settle(self, settlement: Settlement) -> JobState:
        return (await settle(self._db, [settlement]))[settlement.id]
