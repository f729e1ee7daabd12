"""A value that is read when somebody asks and what is known is too old; whoever asks meanwhile shares the reading."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

# What is slow to read is read less often: it never keeps the database busy for more than a twentieth of the time.
PAUSE_PER_READ = 20


class Refreshed(Generic[Value]):
    """lifetime: seconds that the value may be old, where reading it is quick. clock: monotonic seconds."""

    def __init__(
        self, read: Callable[[], Awaitable[Value]], lifetime: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._lifetime = lifetime
        self._clock = clock
        self._reading: asyncio.Future[Value] | None = None
        self._good_until = float("-inf")

    async def get(self) -> Value:
        """Raises what reading raises; then the next who asks reads again."""
        if self._reading is None or (self._reading.done() and self._worthless(self._reading)):
            self._reading = asyncio.ensure_future(self._fetch())
        return await asyncio.shield(self._reading)  # one that gives up must not take the others along

    def _worthless(self, reading: asyncio.Future[Value]) -> bool:
        return reading.cancelled() or reading.exception() is not None or self._clock() >= self._good_until

    async def _fetch(self) -> Value:
        began = self._clock()
        value = await self._read()
        took = self._clock() - began
        self._good_until = began + max(self._lifetime, took * PAUSE_PER_READ)
        return value
