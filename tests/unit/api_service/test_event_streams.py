"""Following a job, with a database that a test decides over."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from itertools import chain
from uuid import UUID, uuid4

import pytest

from api_service import event_streams
from api_service.event_streams import EventStreams, Stream
from shared.errors import DatabaseUnavailable
from shared.events import Event, EventPage, EventType

JOB = uuid4()
LIMIT = 3


class Source:
    """One job's events; `ended`: it has finished. asked: after which number each read was."""

    def __init__(self) -> None:
        self.events: list[Event] | None = []
        self.ended = False
        self.away = False
        self.asked: list[int] = []
        self.known: list[Mapping[UUID, int]] = []
        self.read_now = asyncio.Event()
        self.meanwhile: list[Callable[[], None]] = []  # what happens while the next page is on its way

    def happens(self, count: int = 1) -> None:
        assert self.events is not None
        for _ in range(count):
            self.events.append(Event(len(self.events) + 1, EventType.LOG, datetime.now(UTC), "{}"))

    async def read(self, wanted: tuple[str | None, UUID, int]) -> EventPage | None:
        self.asked.append(wanted[2])
        self.read_now.set()
        if self.away:
            raise DatabaseUnavailable("away")
        if self.events is None:
            return None
        newer = self.events[wanted[2] :]
        complete = len(newer) <= LIMIT
        page = EventPage(tuple(newer[:LIMIT]), complete, complete and self.ended)
        while self.meanwhile:
            self.meanwhile.pop()()
        return page

    async def news(self, known: Mapping[UUID, int]) -> Collection[UUID]:
        self.known.append(dict(known))
        if self.away:
            raise DatabaseUnavailable("away")
        return [job for job, seq in known.items() if self.events is None or len(self.events) > seq]


@pytest.fixture
def source() -> Source:
    return Source()


async def parts(stream: Stream) -> list[list[int]]:
    async with asyncio.timeout(5):
        return [[event.seq for event in part] async for part in stream.events(await stream.page())]


async def until_asked(source: Source, times: int) -> None:
    async with asyncio.timeout(5):
        while len(source.asked) < times:
            source.read_now.clear()
            await source.read_now.wait()


async def test_what_there_is_comes_in_pages_and_the_end_of_the_job_ends_it(source: Source) -> None:
    streams = EventStreams(source.read, source.news)
    source.happens(7)
    source.ended = True
    with streams.follow(None, JOB, 0) as stream:
        assert await parts(stream) == [[1, 2, 3], [4, 5, 6], [7]]
        assert stream.seq == 7
    assert streams.following == 0


async def test_nothing_is_read_before_the_client_has_taken_what_came_before(source: Source) -> None:
    streams = EventStreams(source.read, source.news)
    source.happens(100)
    with streams.follow(None, JOB, 0) as stream:
        following = stream.events(await stream.page())
        await anext(following)
        for _ in range(10):
            streams.changed([JOB])
            await asyncio.sleep(0)
        assert source.asked == [0]
        await anext(following)
        assert source.asked == [0, 3]
        await following.aclose()


async def test_an_event_that_comes_while_the_page_is_read_is_not_missed(source: Source) -> None:
    streams = EventStreams(source.read, source.news)

    def ends() -> None:
        source.happens()
        source.ended = True
        streams.changed([JOB])

    source.meanwhile.append(ends)
    with streams.follow(None, JOB, 0) as stream:
        assert await parts(stream) == [[1]]


async def test_silence_is_broken_by_signs_of_life(source: Source) -> None:
    streams = EventStreams(source.read, source.news, heartbeat=0.001)
    with streams.follow(None, JOB, 0) as stream:
        following = stream.events(await stream.page())
        assert [await anext(following) for _ in range(3)] == [(), (), ()]
        source.happens()
        source.ended = True
        streams.changed([JOB])
        assert [len(part) async for part in following][-1] == 1
    assert source.asked == [0, 0]


async def test_a_lost_notification_costs_one_look_for_all(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "INTERVAL", 0.001)
    streams = EventStreams(source.read, source.news)
    running = asyncio.create_task(streams.run())
    source.happens(2)
    with (
        streams.follow(None, JOB, 0) as one,
        streams.follow(None, JOB, 1) as other,
        streams.follow(None, JOB, 100),  # waits for what is far ahead, and hides nothing from the others
    ):
        following = [asyncio.create_task(parts(one)), asyncio.create_task(parts(other))]
        await until_asked(source, 2)
        source.happens()
        source.ended = True
        assert [list(chain(*found)) for found in await asyncio.gather(*following)] == [[1, 2, 3], [2, 3]]
    running.cancel()
    assert {len(known) for known in source.known} == {1}


async def test_it_ends_when_the_job_is_deleted(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "INTERVAL", 0.001)
    streams = EventStreams(source.read, source.news)
    running = asyncio.create_task(streams.run())
    with streams.follow(None, JOB, 0) as stream:
        following = asyncio.create_task(parts(stream))
        await until_asked(source, 1)
        source.events = None
        assert await following == []
    running.cancel()


async def test_it_outlives_a_database_that_is_away(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "INTERVAL", 0.001)
    streams = EventStreams(source.read, source.news)
    with streams.follow(None, JOB, 0) as stream:
        following = asyncio.create_task(parts(stream))
        await until_asked(source, 1)
        source.away = True
        streams.changed([JOB])
        await until_asked(source, 4)
        source.happens()
        source.ended, source.away = True, False
        assert await following == [[1]]


async def test_the_end_of_the_server_ends_all_at_once_and_whoever_comes_later(source: Source) -> None:
    streams = EventStreams(source.read, source.news)
    with streams.follow(None, JOB, 0) as stream:
        following = asyncio.create_task(parts(stream))
        await until_asked(source, 1)
        streams.close()
        assert await following == []
    source.happens()
    with streams.follow(None, JOB, 0) as late:
        assert await parts(late) == [[1]]
