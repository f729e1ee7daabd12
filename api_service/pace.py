"""`Retry-After`: when it is worth asking for a job again.

Read in the background of those who ask, once in a few seconds for each queue; nobody waits for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from shared.errors import DatabaseUnavailable
from shared.job import Job
from shared.states import JobState
from shared.statistics import QueuePace

log = structlog.get_logger(__name__)

# Sooner than a second `wait` is what is wanted. Later than a minute nobody should hear of a job that has finished: the
# estimate may be wrong, and a poll a minute costs nothing.
SHORTEST, LONGEST = 1, 60  # seconds
# A job that has outlived the usual time is asked for again after this part of what it has taken so far.
OVERDUE = 0.1

LIFETIME = 5.0  # seconds
UNKNOWN = 10  # seconds, where nothing is known of a queue
MAX_QUEUES = 1000  # a model's name is a queue, and models come and go


def retry_after(job: Job, pace: QueuePace | None, position: int | None, now: datetime) -> int:
    """Seconds from SHORTEST to LONGEST. position: in its queue, 1 is next; None: not known. pace None: nor this."""
    match job.state:
        case JobState.QUEUED if pace is not None:
            seconds = _until_start(pace, position or pace.waiting) + (pace.usual or 0.0)
        case JobState.RUNNING if job.started_at is not None:
            ran = (now - job.started_at).total_seconds()
            seconds = max(_usual(pace) - ran, ran * OVERDUE)
        case JobState.RUNNING:  # claimed, and about to start
            seconds = _usual(pace)
        case _:  # being stopped: any moment
            seconds = SHORTEST
    return round(min(max(seconds, SHORTEST), LONGEST))


def _usual(pace: QueuePace | None) -> float:
    return (pace.usual if pace else None) or 0.0


def _until_start(pace: QueuePace, position: int) -> float:
    """What is ahead, at the faster of two speeds, each of which is slower than what the workers can do.

    One after the other in each worker: too slow where batches run. As the latest ones ended: too slow after a lull.
    """
    ahead = max(0, position - 1)
    one_by_one = ahead * (pace.usual or 0.0) / max(1, pace.workers)
    return min(one_by_one, ahead / pace.rate) if pace.rate else one_by_one


@dataclass(slots=True)
class _Known:
    pace: QueuePace | None
    read_at: float


class Paces:
    """read: the pace of a queue. clock: monotonic seconds."""

    def __init__(
        self, read: Callable[[str], Awaitable[QueuePace]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._reading: set[asyncio.Task[None]] = set()

    def retry_after(self, job: Job, position: int | None = None) -> str:
        """The header's value, from what is known at this moment."""
        return str(retry_after(job, self.of(job.queue), position, datetime.now(UTC)))

    def until_taken(self, queue: str, jobs: int) -> int:
        """Seconds until workers have taken so many more jobs out of the queue: an estimate, within the same limits."""
        pace = self.of(queue)
        if pace is None:
            return UNKNOWN
        if not pace.workers:
            return LONGEST
        return round(min(max(_until_start(pace, jobs + 1), SHORTEST), LONGEST))

    def of(self, queue: str) -> QueuePace | None:
        """As it was a few seconds ago; None: not known yet. What is too old is read anew, for those who come later."""
        known = self._known.get(queue)
        now = self._clock()
        if known is None:
            if len(self._known) >= MAX_QUEUES:
                self._known.clear()
            known = self._known[queue] = _Known(None, float("-inf"))
        if now - known.read_at >= LIFETIME:
            known.read_at = now
            task = asyncio.create_task(self._refresh(queue, known))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        return known.pace

    async def drain(self) -> None:
        """Returns when nothing is being read any more."""
        await asyncio.gather(*self._reading)

    async def _refresh(self, queue: str, known: _Known) -> None:
        try:
            known.pace = await self._read(queue)
        except DatabaseUnavailable as error:
            log.info("an estimate stays as it is", queue=queue, error=str(error))
