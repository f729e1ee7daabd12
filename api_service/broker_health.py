"""Whether the broker answers, as those who speak to it anyway have seen it last."""

import time
from collections.abc import Callable
from enum import StrEnum

from shared.errors import BrokerUnavailable

# Seconds. What has to be published or pulled is tried again every few seconds; what nobody has met for so long is over,
# or concerns nobody: the jobs were cancelled that waited for it.
LASTS = 30.0


class Operation(StrEnum):
    PUBLISH = "publish"
    PULL_DEAD = "pull_dead"


class BrokerHealth:
    """An error is of one operation on one queue: that another one works says nothing about it. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._errors: dict[tuple[Operation, str], tuple[str, float]] = {}  # and when each was seen

    def answered(self, operation: Operation, queue: str) -> None:
        self._errors.pop((operation, queue), None)

    def failed(self, operation: Operation, queue: str, error: Exception) -> None:
        self._errors[operation, queue] = str(error), self._clock()

    async def check(self) -> None:
        """Raises BrokerUnavailable with what was seen last; costs nothing and waits for nobody."""
        since = self._clock() - LASTS
        if errors := [error for error, seen in self._errors.values() if seen > since]:
            raise BrokerUnavailable("; ".join(errors))
