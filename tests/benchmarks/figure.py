"""A figure: what was measured, beside what it is measured against and what it should be."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.benchmarks.samples import Samples


class Of(StrEnum):
    """Which of a figure's numbers its aim is about."""

    MEASURED = "measured"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True)
class Aim:
    """What the number should reach, or, with `at_most`, not exceed."""

    value: float
    of: Of = Of.RATIO
    at_most: bool = False

    def met(self, number: float) -> bool:
        return number <= self.value if self.at_most else number >= self.value


@dataclass(frozen=True, slots=True)
class Growth:
    """What a ratio compares: the statement with so many rows in the table, and with the fewest."""

    statement: str
    rows: int
    fewest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    unit: of `measured` and `limit`. limit: the same work without Torchrelay, None where there is none to compare with.
    limit_is: what that was, in words. reference: the best other queue measured on such a machine. growth: for the
    growth of a statement. details: for the JSON.
    """

    name: str
    unit: str
    measured: Samples
    limit: Samples | None = None
    limit_is: str = ""
    aim: Aim | None = None
    reference: str = ""
    growth: Growth | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> Samples | None:
        return None if self.limit is None else self.measured.over(self.limit)

    @property
    def met(self) -> bool | None:
        """None: there is no aim."""
        if self.aim is None:
            return None
        number = self.measured if self.aim.of is Of.MEASURED else self.ratio
        assert number is not None, f"{self.name} has an aim for a ratio, and no limit"
        return self.aim.met(number.median)
