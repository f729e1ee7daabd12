"""A value that is read when somebody asks and what is known is too old; whoever asks meanwhile shares the reading."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

# What is slow to read is read less often: it never keeps the database busy for more than a twentieth of the time.
PAUSE_PER_READ = 20
# What takes so long that it is given up must not begin anew with each who asks. Shorter, as it may have failed for
# another reason, which has passed since.
PAUSE_PER_FAILURE = 5


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
        """Raises what reading raises; who asks after that reads again, but after a long failure not at once."""
        if self._reading is None or (self._reading.done() and self._clock() >= self._good_until):
            self._reading = asyncio.ensure_future(self._fetch())
        return await asyncio.shield(self._reading)  # one that gives up must not take the others along

    async def _fetch(self) -> Value:
        began = self._clock()
        try:
            value = await self._read()
        except Exception:
            self._good_until = began + (self._clock() - began) * PAUSE_PER_FAILURE
            raise
        self._good_until = began + max(self._lifetime, (self._clock() - began) * PAUSE_PER_READ)
        return value
