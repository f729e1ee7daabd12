"""What a model can say, and ask, while `predict` runs."""

import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from ml_service.child.faults import clean
from shared.errors import Cancelled

# A person sees no more than four changes a second, and each report that gets through costs a write to the row.
PROGRESS_INTERVAL = 0.25  # seconds, per item


Report = Callable[[int | None, float, str | None], None]  # item of the batch (None: all of it), fraction, message


class PredictRun:
    """The Run of one `predict` call. The model counts items within that call; `part` says which of the batch they are.

    whole: the call has all of the batch. cancelled: the batch's items that were asked to stop, filled while this runs.
    """

    def __init__(
        self,
        part: Sequence[int],
        report: Report,
        cancelled: AbstractSet[int],
        *,
        whole: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._part = part
        self._whole = whole
        self._cancelled = cancelled
        self._report = report
        self._clock = clock
        self._sent: dict[int | None, tuple[float, float]] = {}  # item: when, fraction
        self._told: set[int] = set()

    @property
    def told(self) -> AbstractSet[int]:
        """The items of the batch that the model knows to be cancelled: it may have cut their outputs short."""
        return self._told

    def progress(self, fraction: float, message: str | None = None, *, item: int | None = None) -> None:
        fraction = min(1.0, max(0.0, float(fraction)))
        if not self._due(item, fraction):
            return
        self._sent[item] = (self._clock(), fraction)
        text = None if message is None else clean(str(message))
        for index in self._places(item):
            self._report(index, fraction, text)

    def cancelled(self, item: int) -> bool:
        index = self._part[item]
        if index in self._cancelled:
            self._told.add(index)
            return True
        return False

    def check_cancelled(self) -> None:
        if all(index in self._cancelled for index in self._part):
            self._told.update(self._part)
            raise Cancelled("every item of the batch was cancelled")

    def _due(self, item: int | None, fraction: float) -> bool:
        """The first word and the last one always; between them only what somebody can follow."""
        if item not in self._sent:
            return True
        when, before = self._sent[item]
        return self._clock() - when >= PROGRESS_INTERVAL or before < 1.0 <= fraction

    def _places(self, item: int | None) -> Sequence[int | None]:
        if item is not None:
            return [self._part[item]]
        return [None] if self._whole else self._part
