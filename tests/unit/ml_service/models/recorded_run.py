"""A Run that keeps what it is told, and can be cancelled at a chosen moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import SupportsFloat, SupportsIndex

from ml_service.model import Level
from shared.errors import Cancelled


@dataclass
class RecordedRun:
    """items: how many the batch has. after_progress: called after each report, for instance to cancel something."""

    items: int = 1
    after_progress: Callable[["RecordedRun"], None] = lambda _: None
    stopped: set[int] = field(default_factory=set)
    reports: list[tuple[int | None, float]] = field(default_factory=list)

    def progress(self, fraction: float, message: str | None = None, *, item: int | None = None) -> None:
        assert message is None or message
        self.reports.append((item, fraction))
        self.after_progress(self)

    def log(self, message: object, *, level: Level = "info", item: int | None = None) -> None:
        """Not kept."""

    def metrics(
        self, values: Mapping[str, SupportsFloat], *, step: SupportsIndex | None = None, item: int | None = None
    ) -> None:
        """Not kept."""

    def cancelled(self, item: int) -> bool:
        return item in self.stopped

    def check_cancelled(self) -> None:
        if len(self.stopped) == self.items:
            raise Cancelled("asked to stop")

    def fractions(self, item: int) -> list[float]:
        return [fraction for place, fraction in self.reports if place == item]
