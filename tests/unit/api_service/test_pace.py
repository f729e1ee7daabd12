"""When it is worth asking again."""

import asyncio
from datetime import timedelta

import pytest

from api_service.pace import LIFETIME, Paces, retry_after
from shared.errors import DatabaseUnavailable
from shared.states import JobState
from shared.statistics import QueuePace
from tests.unit.api_service.jobs import job

NOW = job().created_at


def pace(*, usual: float | None = 4.0, rate: float | None = None, waiting: int = 0, workers: int = 1) -> QueuePace:
    return QueuePace(usual, rate, waiting, workers)


@pytest.mark.parametrize(
    ("known", "position", "seconds"),
    [
        (None, None, 1),  # nothing is known yet
        (pace(usual=None), 500, 1),  # no job has ended lately
        (pace(), 1, 4),  # it is next: its own time
        (pace(), 6, 24),
        (pace(workers=5), 6, 8),
        (pace(workers=0), 2, 8),  # a worker that is about to come
        (pace(rate=10.0), 101, 14),  # they run in batches
        (pace(rate=0.01), 3, 12),  # after a lull, the latest ones ended slowly
        (pace(waiting=4), None, 16),  # too new to have a place: behind those that waited
        (pace(), 1000, 60),
        (pace(usual=0.01), 1, 1),
    ],
)
def test_a_queued_job_is_asked_for_when_its_turn_has_come(
    known: QueuePace | None, position: int | None, seconds: int
) -> None:
    assert retry_after(job(), known, position, NOW) == seconds


@pytest.mark.parametrize(
    ("usual", "ran", "seconds"), [(10.0, 0.0, 10), (10.0, 7.0, 3), (10.0, 9.9, 1), (10.0, 300.0, 30), (10.0, 9e9, 60)]
)
def test_a_running_job_has_what_is_left_of_the_usual_time(usual: float, ran: float, seconds: int) -> None:
    """One that has outlived it is asked for less and less often."""
    running = job(state=JobState.RUNNING, started_at=NOW)

    assert retry_after(running, pace(usual=usual), None, NOW + timedelta(seconds=ran)) == seconds


def test_one_that_is_claimed_or_being_stopped() -> None:
    assert retry_after(job(state=JobState.RUNNING), pace(), None, NOW) == 4
    assert retry_after(job(state=JobState.CANCELLING, started_at=NOW), pace(), None, NOW) == 1


class Reading:
    def __init__(self) -> None:
        self.now = 0.0
        self.reads: list[str] = []
        self.away = False
        self.paces = Paces(self.read, lambda: self.now)

    async def read(self, queue: str) -> QueuePace:
        self.reads.append(queue)
        await asyncio.sleep(0)
        if self.away:
            raise DatabaseUnavailable("away")
        return pace(usual=float(len(self.reads)))


async def test_nobody_waits_for_a_reading_and_a_queue_is_read_once_in_a_while() -> None:
    reading = Reading()
    assert reading.paces.retry_after(job()) == "1"
    assert [reading.paces.of("reverse") for _ in range(5)] == [None] * 5
    await reading.paces.drain()
    reading.now = LIFETIME - 0.1

    assert reading.paces.of("reverse") == pace(usual=1.0)
    assert reading.reads == ["reverse"]

    reading.now = LIFETIME
    assert reading.paces.of("reverse") == pace(usual=1.0)  # for this one as it was
    await reading.paces.drain()
    assert reading.paces.of("reverse") == pace(usual=2.0)


async def test_an_estimate_stays_while_the_database_is_away() -> None:
    reading = Reading()
    reading.paces.of("reverse")
    await reading.paces.drain()
    reading.away, reading.now = True, LIFETIME
    reading.paces.of("reverse")
    await reading.paces.drain()

    assert reading.paces.of("reverse") == pace(usual=1.0)
