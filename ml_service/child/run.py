"""What a model can say, and ask, while `predict` runs."""

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import SupportsFloat, SupportsIndex

from ml_service.child.checks import check_level, log_of, metrics_of
from ml_service.child.faults import MESSAGE_LIMIT, clean
from ml_service.child.messages import Progress, Saying
from ml_service.child.throttle import Throttle
from ml_service.model import Level
from shared.errors import Cancelled

# A person sees no more than four changes a second, and each report that gets through costs a write to the row.
PROGRESS_INTERVAL = 0.25  # seconds, per item


Tell = Callable[[int | None, float, Saying], None]  # item of the batch (None: all of it), by `clock`, what


class PredictRun:
    """The Run of one `predict` call. The model counts items within that call; `part` says which of the batch they are.

    whole: the call has all of the batch. cancelled: the batch's items that were asked to stop, filled while this runs.
    """

    def __init__(
        self,
        part: Sequence[int],
        tell: Tell,
        cancelled: AbstractSet[int],
        *,
        whole: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._part = part
        self._whole = whole
        self._cancelled = cancelled
        self._tell = tell
        self._clock = clock
        self._sent: dict[int | None, tuple[float, float]] = {}  # item: when, fraction
        self._throttles: dict[tuple[str, int | None], Throttle] = {}  # by what is said, and of which item
        self._told: set[int] = set()

    @property
    def told(self) -> AbstractSet[int]:
        """The items of the batch that the model knows to be cancelled: it may have cut their outputs short."""
        return self._told

    def progress(self, fraction: float, message: str | None = None, *, item: int | None = None) -> None:
        self._look()
        fraction = min(1.0, max(0.0, float(fraction)))
        if not self._due(item, fraction):
            return
        self._sent[item] = (self._clock(), fraction)
        text = None if message is None else clean(str(message))
        self._tell_of(item, self._clock(), Progress(fraction, text))

    def log(self, message: object, *, level: Level = "info", item: int | None = None) -> None:
        check_level(level)
        text = str(message)[: MESSAGE_LIMIT + 1]  # one longer than what is shown: it is going to be cut, and to say so
        self._throttle("lines", item).say(partial(log_of, text, level))

    def metrics(
        self, values: Mapping[str, SupportsFloat], *, step: SupportsIndex | None = None, item: int | None = None
    ) -> None:
        told = metrics_of(values, step)
        self._throttle("metrics", item).say(lambda: told)

    def end(self) -> None:
        """The model has returned, or raised: what was kept back comes out."""
        for throttle in list(self._throttles.values()):
            throttle.end()

    def cancelled(self, item: int) -> bool:
        self._look()
        index = self._part[item]
        if index in self._cancelled:
            self._told.add(index)
            return True
        return False

    def check_cancelled(self) -> None:
        self._look()
        if all(index in self._cancelled for index in self._part):
            self._told.update(self._part)
            raise Cancelled("every item of the batch was cancelled")

    def _due(self, item: int | None, fraction: float) -> bool:
        """The first word and the last one always; between them only what somebody can follow."""
        if item not in self._sent:
            return True
        when, before = self._sent[item]
        return self._clock() - when >= PROGRESS_INTERVAL or before < 1.0 <= fraction

    def _throttle(self, noun: str, item: int | None) -> Throttle:
        throttle = self._throttles.get((noun, item))
        if throttle is None:
            self._places(item)  # raises for an item that there is not
            throttle = Throttle(noun, partial(self._tell_of, item), self._clock)
            throttle = self._throttles.setdefault((noun, item), throttle)
        return throttle

    def _look(self) -> None:
        """A model that has fallen silent after many lines still asks, or reports: room enough for the last of them."""
        for throttle in list(self._throttles.values()):
            throttle.look()

    def _tell_of(self, item: int | None, at: float, what: Saying) -> None:
        for index in self._places(item):
            self._tell(index, at, what)

    def _places(self, item: int | None) -> Sequence[int | None]:
        if item is not None:
            return [self._part[item]]
        return [None] if self._whole else self._part
