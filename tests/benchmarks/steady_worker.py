"""A worker that ends jobs at a steady rate, by the statements that a real one uses: claim, start, settle."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

import uuid_utils.compat

from shared.database.claims import claim, start
from shared.database.entries import Ending
from shared.database.leases import leave, register_worker
from shared.database.pool import Database
from shared.database.settlement import Settlement, settle

LEASE = 600.0  # seconds: longer than anything here takes, so that no heartbeat is needed
RESULT = '{"value": 1}'


class SteadyWorker:
    """batch: jobs that are settled by one statement."""

    def __init__(self, db: Database, model: str, *, batch: int = 10) -> None:
        self._db = db
        self._model = model
        self._batch = batch
        self._id = uuid_utils.compat.uuid7()

    async def end(self, jobs: Sequence[UUID], rate: float) -> float:
        """Ends all of them, in order, `rate` a second. -> the rate that it came to"""
        await register_worker(self._db, self._id, name="bench:0", device="cpu", lease=LEASE)
        began = time.perf_counter()
        for place in range(0, len(jobs), self._batch):
            await asyncio.sleep(began + place / rate - time.perf_counter())
            await self._serve(jobs[place : place + self._batch])
        await leave(self._db, self._id)
        return len(jobs) / (time.perf_counter() - began)

    async def _serve(self, jobs: Sequence[UUID]) -> None:
        claimed = await claim(self._db, self._id, self._model, 1, jobs)
        await start(self._db, self._id, [(one.id, one.attempt) for one in claimed])
        ends = [Settlement(one.id, one.attempt, Ending.SUCCEEDED, RESULT) for one in claimed]
        settled = await settle(self._db, ends)
        if len(settled) != len(jobs):
            raise RuntimeError(f"{len(settled)} of {len(jobs)} jobs were settled")
