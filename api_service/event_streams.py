"""Clients that follow a job's events.

Like a request that waits for a job, a stream registers before it reads, so no event can fall between; a notification wakes
the streams of the jobs it names, and under it one query a second covers all of them. A stream holds no events: it reads
the next ones when the client has taken those before.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from uuid import UUID

import structlog

from shared.errors import DatabaseUnavailable
from shared.events import Event, EventPage

log = structlog.get_logger(__name__)

ReadPage = Callable[[tuple[str | None, UUID, int]], Awaitable[EventPage | None]]
FindNews = Callable[[Mapping[UUID, int]], Awaitable[Collection[UUID]]]

INTERVAL = 1.0  # seconds between two looks at all jobs that are followed
HEARTBEAT = 15.0  # seconds of silence: proxies cut what is silent for longer, often after 30 or 60


class Stream:
    """One client's. seq: the last event that it has."""

    __slots__ = ("_gone", "_heartbeat", "_owner", "_read", "_wake", "job_id", "seq")

    def __init__(self, read: ReadPage, owner: str | None, job_id: UUID, after: int, heartbeat: float) -> None:
        self._read = read
        self._owner = owner
        self._heartbeat = heartbeat
        self._wake = asyncio.Event()
        self._gone = False
        self.job_id = job_id
        self.seq = after

    async def page(self) -> EventPage | None:
        """What comes next, as far as it is there. None: there is no such job, or it is another's. Raises DatabaseUnavailable."""
        self._wake.clear()
        return await self._read((self._owner, self.job_id, self.seq))

    async def events(self, page: EventPage | None) -> AsyncGenerator[tuple[Event, ...], None]:
        """From `page` on: each part when the one before has been taken; an empty one where a sign of life is due.

        Ends with the job, or when it is deleted, the client has gone, or the server stops.
        """
        while page is not None:
            if page.events:
                yield page.events
                self.seq = page.events[-1].seq
            if page.ended or self._gone:
                return
            while page.complete and not await self._woken(self._heartbeat):
                yield ()
            if self._gone:
                return
            page = await self._next()

    def wake(self) -> None:
        self._wake.set()

    def end(self) -> None:
        """At once, where it waits; else when the client has taken what was sent."""
        self._gone = True
        self._wake.set()

    async def _next(self) -> EventPage | None:
        """The stream outlives a database that is away."""
        while True:
            try:
                return await self.page()
            except DatabaseUnavailable as error:
                log.warning("cannot read the events of a job", job_id=str(self.job_id), error=str(error))
            if self._gone:
                return None
            await self._woken(INTERVAL)

    async def _woken(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        return self._wake.is_set()


class EventStreams:
    """read: a page of one owner's job. find_news: which of these jobs have newer events, or are gone."""

    name = "event streams"

    def __init__(self, read: ReadPage, find_news: FindNews, heartbeat: float = HEARTBEAT) -> None:
        self._read = read
        self._find_news = find_news
        self._heartbeat = heartbeat
        self._streams: dict[UUID, set[Stream]] = {}
        self._closed = False

    @contextmanager
    def follow(self, owner: str | None, job_id: UUID, after: int) -> Iterator[Stream]:
        """A stream that is woken for as long as the context lasts."""
        stream = Stream(self._read, owner, job_id, after, self._heartbeat)
        self._streams.setdefault(job_id, set()).add(stream)
        if self._closed:
            stream.end()
        try:
            yield stream
        finally:
            streams = self._streams[job_id]
            streams.discard(stream)
            if not streams:
                del self._streams[job_id]

    @property
    def following(self) -> int:
        return sum(map(len, self._streams.values()))

    def changed(self, job_ids: Iterable[UUID]) -> None:
        if self._streams:
            for job_id in job_ids:
                for stream in self._streams.get(job_id, ()):
                    stream.wake()

    def reread(self) -> None:
        """Notifications may have been missed."""
        self.changed(list(self._streams))

    def close(self) -> None:
        """Ends all of them: the server is to stop."""
        self._closed = True
        for streams in self._streams.values():
            for stream in streams:
                stream.end()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            if self._streams:
                await self._look()

    async def _look(self) -> None:
        known = {job_id: min(stream.seq for stream in streams) for job_id, streams in self._streams.items()}
        try:
            self.changed(await self._find_news(known))
        except DatabaseUnavailable as error:
            log.warning("cannot look for news of the jobs that are followed", error=str(error))
