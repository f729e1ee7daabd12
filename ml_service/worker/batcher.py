"""When to make a batch, and of what. Pure: it neither waits nor knows what it batches; the clock is handed in."""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from ml_service.model import Batching

Item = TypeVar("Item")


class Batcher(Generic[Item]):
    """First in, first out. An idle child never waits for a batch to fill; a busy one lets it, for `max_wait`."""

    def __init__(self, batching: Batching, clock: Callable[[], float]) -> None:
        self._batching = batching
        self._clock = clock
        self._waiting: deque[tuple[float, Item]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: Item) -> None:
        self._waiting.append((self._clock(), item))

    def due_in(self, *, idle: bool) -> float | None:
        """Seconds until a batch should be taken; 0: now; None: there is nothing to take."""
        if not self._waiting:
            return None
        if idle or len(self._waiting) >= self._batching.max_size:
            return 0.0
        return max(0.0, self._waiting[0][0] + self._batching.max_wait - self._clock())

    def take(self) -> list[Item]:
        """The oldest items, at most a batch of them."""
        size = min(self._batching.max_size, len(self._waiting))
        return [self._waiting.popleft()[1] for _ in range(size)]

    def put_first(self, items: list[Item]) -> None:
        """Taken, but not claimed: back to where they were, without waiting again."""
        self._waiting.extendleft((0.0, item) for item in reversed(items))

    def take_all(self) -> list[Item]:
        items = [item for _, item in self._waiting]
        self._waiting.clear()
        return items
