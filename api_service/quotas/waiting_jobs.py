"""How many jobs wait, of each owner and in each queue: counted now and then, and carried on by what is stored here.

The count is never too low for what this process knows: what was stored since a count began is added to it, and so is
what is just being stored. What other processes store is seen with the next count, about a second later.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from api_service.refreshed import PAUSE_PER_READ
from shared.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

LIFETIME = 1.0  # seconds; longer where counting takes long, as with everything that is Refreshed

CountWaiting = Callable[[], Awaitable[Sequence[tuple[str, str, int]]]]


@dataclass(frozen=True, slots=True)
class _Tally:
    owners: Counter[str] = field(default_factory=Counter)
    queues: Counter[str] = field(default_factory=Counter)

    def add(self, owner: str, queue: str, jobs: int) -> None:
        self.owners[owner] += jobs
        self.queues[queue] += jobs

    def remove(self, owner: str, queue: str, jobs: int) -> None:
        for counter, name in ((self.owners, owner), (self.queues, queue)):
            counter[name] -= jobs
            if not counter[name]:
                del counter[name]


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
        counted = self._counted.owners[owner] if self._counted else 0
        return counted + self._since.owners[owner] + self._storing.owners[owner]

    def of_queue(self, queue: str) -> int:
        counted = self._counted.queues[queue] if self._counted else 0
        return counted + self._since.queues[queue] + self._storing.queues[queue]

    @contextmanager
    def storing(self, owner: str, jobs: Mapping[str, int]) -> Iterator[None]:
        """jobs: how many in each queue. Not stored after all, they are counted until the next count."""
        for queue, number in jobs.items():
            self._storing.add(owner, queue, number)
        try:
            yield
        finally:
            for queue, number in jobs.items():
                self._storing.remove(owner, queue, number)
                self._since.add(owner, queue, number)

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
            self._since.owners.update(before.owners)
            self._since.queues.update(before.queues)
            raise
        self._counted = _Tally()
        for queue, owner, jobs in rows:
            self._counted.add(owner, queue, jobs)
        self._good_until = began + max(LIFETIME, (self._clock() - began) * PAUSE_PER_READ)


def _told(reading: "asyncio.Task[None]") -> None:
    """Nobody may have waited for it."""
    if not reading.cancelled() and isinstance(error := reading.exception(), DatabaseUnavailable):
        log.info("a count of waiting jobs stays as it is", error=str(error))
