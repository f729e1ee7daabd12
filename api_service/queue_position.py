"""How many jobs are before one in its queue: an estimate, read at most once a second for each queue."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.job import Job
from shared.states import JobState

ReadHead = Callable[[str], Awaitable[Sequence[UUID]]]

LIFETIME = 1.0  # seconds
MAX_QUEUES = 1000  # a model's name is a queue, and models come and go


@dataclass(frozen=True, slots=True)
class _Head:
    read_at: float
    places: Mapping[UUID, int]


class QueuePositions:
    """read_head: the ids of a queue's first jobs, the oldest first. clock: monotonic seconds."""

    def __init__(self, read_head: ReadHead, clock: Callable[[], float] = time.monotonic) -> None:
        self._read_head = read_head
        self._clock = clock
        self._heads: dict[str, asyncio.Future[_Head]] = {}

    async def of(self, job: Job) -> int | None:
        """1 is next; None: not queued, too new to be known, or too far back."""
        if job.state is not JobState.QUEUED:
            return None
        return (await self._head(job.queue)).places.get(job.id)

    async def _head(self, queue: str) -> _Head:
        reading = self._heads.get(queue)
        if reading is None or (reading.done() and self._worthless(reading)):
            if len(self._heads) >= MAX_QUEUES:
                self._heads.clear()
            reading = asyncio.ensure_future(self._read(queue))
            self._heads[queue] = reading
        return await asyncio.shield(reading)  # one that gives up must not take the others along

    def _worthless(self, reading: asyncio.Future[_Head]) -> bool:
        failed = reading.cancelled() or reading.exception() is not None
        return failed or self._clock() - reading.result().read_at >= LIFETIME

    async def _read(self, queue: str) -> _Head:
        began = self._clock()
        ids = await self._read_head(queue)
        return _Head(began, {job_id: place for place, job_id in enumerate(ids, start=1)})
