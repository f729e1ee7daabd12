"""What a few rounds of the same measurement say: their median, and how far apart they lie."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True, slots=True)
class Samples:
    """The value of each round, in the order of the rounds."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("no samples")

    @classmethod
    def of(cls, values: Iterable[float]) -> "Samples":
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    @property
    def spread(self) -> float:
        """From the lowest to the highest, as a share of the median. A difference smaller than this says nothing."""
        return (self.high - self.low) / self.median if self.median else 0.0

    def over(self, limit: "Samples") -> "Samples":
        """Round by round: what slowed the machine in one round slowed both."""
        return Samples.of(ours / theirs for ours, theirs in zip(self.values, limit.values, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of all are not above: nearest rank, nothing interpolated."""
    ranked = sorted(values)
    return ranked[max(0, ceil(share * len(ranked)) - 1)]
