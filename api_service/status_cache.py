"""Polls of a job that has not changed are answered from here; the rules are those of "Waiting and the cache".

An entry lives one second at most, counted from before its row was read. A notification throws it away, and likewise
what a read under way is about to bring. Nobody ever sees a job go backwards: a client that names a newer revision than
the entry's goes to the database, and an older row never replaces a newer one.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from api_service.counts import Counts
from shared.job import Job

ReadJob = Callable[[tuple[str | None, UUID]], Awaitable[Job | None]]

LIFETIME = 1.0  # seconds
# Together they bound what this may hold to 64 MiB.
MAX_ENTRIES = 4096
MAX_RESULT = 16 * 1024  # characters


@dataclass(slots=True)
class _Entry:
    job: Job
    read_at: float


@dataclass(slots=True, eq=False)
class _Read:
    """One read under way. raced: the row has changed since it began."""

    raced: bool = False


class StatusCache:
    """read: the row of (owner, id), or None; owner None: whoever's it is. clock: monotonic seconds."""

    def __init__(
        self, read: ReadJob, clock: Callable[[], float] = time.monotonic, counts: Counts | None = None
    ) -> None:
        self._read = read
        self._clock = clock
        self._counts = counts or Counts()
        self._entries: dict[UUID, _Entry] = {}  # oldest first
        self._reads: dict[UUID, set[_Read]] = {}

    async def get(self, owner: str | None, job_id: UUID, *, at_least: int = 0) -> Job | None:
        """The job, no older than a second and of revision `at_least` or later; None: not there, or another's."""
        began = self._clock()
        entry = self._entries.get(job_id)
        if (
            entry is not None
            and owner in {None, entry.job.owner}
            and entry.job.revision >= at_least
            and began - entry.read_at < LIFETIME
        ):
            self._counts.status_hits += 1
            return entry.job
        self._counts.status_misses += 1
        read = _Read()
        self._reads.setdefault(job_id, set()).add(read)
        try:
            job = await self._read((owner, job_id))
        finally:
            self._forget(job_id, read)
        if job is not None and not read.raced:
            self._keep(job, began)
        return job

    def changed(self, job_ids: Iterable[UUID]) -> None:
        """These have changed, or may have: what is known of them is worth nothing any more."""
        for job_id in job_ids:
            self._entries.pop(job_id, None)
            for read in self._reads.get(job_id, ()):
                read.raced = True

    def saw(self, jobs: Iterable[Job]) -> None:
        """Rows that were read elsewhere: whoever was shown them must not be shown older ones afterwards."""
        for job in jobs:
            entry = self._entries.get(job.id)
            if entry is None or entry.job.revision < job.revision:
                self.changed((job.id,))

    def clear(self) -> None:
        """Notifications may have been missed."""
        self._entries.clear()
        for reads in self._reads.values():
            for read in reads:
                read.raced = True

    def _forget(self, job_id: UUID, read: _Read) -> None:
        reads = self._reads[job_id]
        reads.discard(read)
        if not reads:
            del self._reads[job_id]

    def _keep(self, job: Job, read_at: float) -> None:
        entry = self._entries.get(job.id)
        if entry is not None and (entry.job.revision > job.revision or entry.read_at > read_at):
            return
        if job.result is not None and len(job.result) > MAX_RESULT:
            self._entries.pop(job.id, None)
            return
        self._entries.pop(job.id, None)  # so that it goes to the end
        self._entries[job.id] = _Entry(job, read_at)
        self._drop_old(read_at)

    def _drop_old(self, now: float) -> None:
        while self._entries:
            oldest = next(iter(self._entries))
            if len(self._entries) <= MAX_ENTRIES and now - self._entries[oldest].read_at < LIFETIME:
                return
            del self._entries[oldest]
