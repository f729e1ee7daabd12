"""Queues that could not be published to: left alone for a while, so that the jobs of the others need not wait behind theirs."""

import time
from collections.abc import Callable

RETRY_FIRST, RETRY_MOST = 0.2, 5.0  # seconds until a queue is tried again, doubling


class RestingQueues:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rests: dict[str, tuple[float, float]] = {}  # queue: when its rest is over, seconds of the next one

    def now(self) -> list[str]:
        return [queue for queue, (over, _) in self._rests.items() if over > self._clock()]

    def failed(self, queue: str) -> None:
        over, seconds = self._rests.get(queue, (0.0, RETRY_FIRST))
        if over <= self._clock():
            self._rests[queue] = (self._clock() + seconds, min(seconds * 2, RETRY_MOST))

    def answered(self, queue: str) -> None:
        self._rests.pop(queue, None)
