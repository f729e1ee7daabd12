"""How many jobs wait, of each owner and in each queue: counted now and then, and carried on by what is stored here.

The count is never too low for what this process knows: what was stored since a count began is added to it, and so is
what is just being stored. What other processes store is seen with the next count, about a second later.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from api_service.refreshed import PAUSE_PER_READ
from shared.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

LIFETIME = 1.0  # seconds; longer where counting takes long, as with everything that is Refreshed

CountWaiting = Callable[[], Awaitable[Sequence[tuple[str, str, int]]]]


class _Tally:
    """Jobs by owner and by queue; who has none is not in it."""

    __slots__ = ("owners", "queues")

    def __init__(self) -> None:
        self.owners: dict[str, int] = {}
        self.queues: dict[str, int] = {}

    def add(self, owner: str, queues: Mapping[str, int]) -> None:
        for queue, jobs in queues.items():
            self.owners[owner] = self.owners.get(owner, 0) + jobs
            self.queues[queue] = self.queues.get(queue, 0) + jobs

    def remove(self, owner: str, queues: Mapping[str, int]) -> None:
        for queue, jobs in queues.items():
            for counted, name in ((self.owners, owner), (self.queues, queue)):
                counted[name] -= jobs
                if not counted[name]:
                    del counted[name]

    def update(self, other: "_Tally") -> None:
        for mine, theirs in ((self.owners, other.owners), (self.queues, other.queues)):
            for name, jobs in theirs.items():
                mine[name] = mine.get(name, 0) + jobs


class Storing:
    """Inside, jobs are being stored. Those that are not, after all, are counted until the next count."""

    __slots__ = ("_owner", "_queues", "_waiting")

    def __init__(self, waiting: "WaitingJobs", owner: str, queues: Mapping[str, int]) -> None:
        self._waiting = waiting
        self._owner = owner
        self._queues = queues

    def __enter__(self) -> None:
        self._waiting.begin(self._owner, self._queues)

    def __exit__(self, *_: object) -> None:
        self._waiting.end(self._owner, self._queues)


class WaitingJobs:
    """count: (queue, owner, jobs) of all that wait. clock: monotonic seconds."""

    def __init__(self, count: CountWaiting, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._counted: _Tally | None = None
        self._since = _Tally()  # stored since that count began
        self._storing = _Tally()
        self._good_until = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def known(self) -> None:
        """Returns once there is a count, however old: a new one is then made for those who come later.

        Raises DatabaseUnavailable where there has never been one.
        """
        if self._counted is None:
            await self.up_to_date()
        elif self._clock() >= self._good_until:
            self._start()

    async def up_to_date(self) -> bool:
        """Counts, if what is known is too old. -> whether it was. Raises DatabaseUnavailable."""
        if self._clock() < self._good_until:
            return False
        await asyncio.shield(self._start())  # one that gives up must not take the others along
        return True

    def of_owner(self, owner: str) -> int:
        return sum(tally.owners.get(owner, 0) for tally in self._tallies)

    def of_queue(self, queue: str) -> int:
        return sum(tally.queues.get(queue, 0) for tally in self._tallies)

    def storing(self, owner: str, queues: Mapping[str, int]) -> Storing:
        """queues: how many jobs in each."""
        return Storing(self, owner, queues)

    def begin(self, owner: str, queues: Mapping[str, int]) -> None:
        self._storing.add(owner, queues)

    def end(self, owner: str, queues: Mapping[str, int]) -> None:
        self._storing.remove(owner, queues)
        self._since.add(owner, queues)

    @property
    def _tallies(self) -> tuple[_Tally, ...]:
        return (self._since, self._storing) if self._counted is None else (self._counted, self._since, self._storing)

    async def drain(self) -> None:
        """Returns when nothing is being counted any more."""
        if self._reading is not None:
            await asyncio.wait([self._reading])

    def _start(self) -> "asyncio.Task[None]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(_told)
        return self._reading

    async def _read(self) -> None:
        began, before = self._clock(), self._since
        self._since = _Tally()
        try:
            rows = await self._count()
        except BaseException:  # the count before goes on, with all that came after it
            self._since.update(before)
            raise
        counted = _Tally()
        for queue, owner, jobs in rows:
            counted.add(owner, {queue: jobs})
        self._counted = counted
        self._good_until = began + max(LIFETIME, (self._clock() - began) * PAUSE_PER_READ)


def _told(reading: "asyncio.Task[None]") -> None:
    """Nobody may have waited for it."""
    if not reading.cancelled() and isinstance(error := reading.exception(), DatabaseUnavailable):
        log.info("a count of waiting jobs stays as it is", error=str(error))
