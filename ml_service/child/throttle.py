"""What a model may tell at once and in the long run, so that one in a tight loop floods neither the pipe nor the database."""

import threading
from collections import deque
from collections.abc import Callable

from ml_service.child.messages import Log, Saying

BURST = 50  # told as fast as they come: what a model says of itself before it begins to compute
RATE = 10.0  # a second after that; nobody reads faster, and each is a row for each job of the batch
TAIL = 20  # kept back until there is room again, or the end: the last lines are the ones that tell why


class Throttle:
    """A token bucket with a short queue; what falls out of the queue is counted, and told of in its place.

    noun: what is left out. tell: called with when it was said, and what. Any thread may use it.
    """

    def __init__(self, noun: str, tell: Callable[[float, Saying], None], clock: Callable[[], float]) -> None:
        self._noun = noun
        self._tell = tell
        self._clock = clock
        self._tokens, self._filled_at = float(BURST), clock()
        self._kept: deque[tuple[float, Callable[[], Saying]]] = deque()
        self._left_out = 0
        self._lock = threading.Lock()

    def say(self, make: Callable[[], Saying]) -> None:
        """make: called if it is told at all, so that what is left out costs next to nothing."""
        with self._lock:
            self._kept.append((self._clock(), make))
            if len(self._kept) > TAIL:
                self._kept.popleft()
                self._left_out += 1
            self._let_out()

    def look(self) -> None:
        """Time has passed: perhaps there is room for what was kept back."""
        if self._kept:
            with self._lock:
                self._let_out()

    def end(self) -> None:
        """Nothing more is going to be said: now the rest comes, room or not."""
        with self._lock:
            while self._kept:
                self._tell_next()

    def _let_out(self) -> None:
        self._refill()
        while self._kept and self._tokens >= (price := 2 if self._left_out else 1):
            self._tokens -= price
            self._tell_next()

    def _tell_next(self) -> None:
        at, make = self._kept.popleft()
        if self._left_out:
            count, self._left_out = self._left_out, 0
            self._tell(at, Log("warning", f"{count:,} {self._noun} left out"))
        self._tell(at, make())

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(float(BURST), self._tokens + (now - self._filled_at) * RATE)
        self._filled_at = now
