"""Requests that wait for a job.

A waiter registers before the row is read, so no change can fall between. A notification wakes the waiters of the jobs it
names; under it one query a second covers all of them, so a lost notification costs a second, never an answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import structlog

from shared.errors import DatabaseUnavailable
from shared.job import Job

log = structlog.get_logger(__name__)

ReadMany = Callable[[Collection[UUID]], Awaitable[Iterable[Job]]]
Until = Callable[[Job], bool]


class ReadOne(Protocol):
    async def __call__(self, owner: str | None, job_id: UUID, *, at_least: int) -> Job | None:
        """One owner's job, of revision `at_least` or later."""


INTERVAL = 1.0  # seconds between two looks at all jobs that are waited for


class _Waiter:
    """One request. `latest` is what it will be told, `answered` that it is to be told now."""

    def __init__(self, until: Until) -> None:
        self._until = until
        self.latest: Job | None = None
        self.answered = asyncio.Event()

    def saw(self, job: Job) -> None:
        if self.latest is not None and job.revision < self.latest.revision:
            return
        self.latest = job
        if self._until(job):
            self.answered.set()

    def saw_nothing(self) -> None:
        self.latest = None
        self.answered.set()


class Watcher:
    """read_one: one owner's job. read_many: whichever of these exist, whoever's they are. seen: told what was read."""

    name = "watcher"

    def __init__(self, read_one: ReadOne, read_many: ReadMany, seen: Callable[[Iterable[Job]], None]) -> None:
        self._read_one = read_one
        self._read_many = read_many
        self._seen = seen
        self._waiters: dict[UUID, set[_Waiter]] = {}
        self._due: set[UUID] = set()
        self._wake = asyncio.Event()
        self._closed = False

    async def wait(
        self, owner: str | None, job_id: UUID, until: Until, seconds: float, *, at_least: int = 0
    ) -> Job | None:
        """The job once `until` holds of it, or as it is after `seconds`. None: not there, or another's.

        at_least: the revision that the client has seen already; nothing older is looked at.
        """
        waiter = _Waiter(until)
        self._waiters.setdefault(job_id, set()).add(waiter)
        try:
            first = await self._read_one(owner, job_id, at_least=at_least)
            if first is None:
                return None
            waiter.saw(first)
            if not self._closed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await waiter.answered.wait()
            return waiter.latest
        finally:
            self._leave(job_id, waiter)

    def changed(self, job_ids: Iterable[UUID]) -> None:
        """These have changed: whoever waits for them is told soon."""
        due = self._waiters.keys() & set(job_ids)
        if due:
            self._due |= due
            self._wake.set()

    def reread(self) -> None:
        """Notifications may have been missed: look at everything that is waited for."""
        self.changed(self._waiters)

    def close(self) -> None:
        """Answers everybody at once with what is known, and whoever comes later without waiting."""
        self._closed = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.answered.set()

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiters.values()))

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        next_look = loop.time() + INTERVAL
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_look):
                    await self._wake.wait()
            if loop.time() >= next_look:
                next_look = loop.time() + INTERVAL
                self._due |= self._waiters.keys()
            await self._look()

    async def _look(self) -> None:
        self._wake.clear()
        due, self._due = self._due & self._waiters.keys(), set()
        if not due:
            return
        try:
            jobs = {job.id: job for job in await self._read_many(due)}
        except DatabaseUnavailable as error:  # the next look at all of them comes within a second
            log.warning("cannot look at the jobs that are waited for", error=str(error))
            return
        self._seen(jobs.values())
        for job_id in due:
            for waiter in self._waiters.get(job_id, ()):
                _tell(waiter, jobs.get(job_id))

    def _leave(self, job_id: UUID, waiter: _Waiter) -> None:
        waiters = self._waiters[job_id]
        waiters.discard(waiter)
        if not waiters:
            del self._waiters[job_id]


def _tell(waiter: _Waiter, job: Job | None) -> None:
    if job is not None:
        waiter.saw(job)
    elif waiter.latest is not None:  # it was there: it has been deleted
        waiter.saw_nothing()
