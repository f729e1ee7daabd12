"""Breadth first over every history of a scenario, up to numbers that do not matter."""

from array import array
from collections import deque
from dataclasses import dataclass

from tests.protocol.canonical import canonical
from tests.protocol.rules import Rules
from tests.protocol.safety import check
from tests.protocol.scenario import Scenario
from tests.protocol.values import FINISHED, House, Violation


@dataclass(frozen=True)
class Verdict:
    """wrong: what does not hold, None if all does. trace: a shortest history that leads there."""

    houses: int
    wrong: str | None = None
    trace: tuple[str, ...] = ()


class Explorer:
    def __init__(self, scenario: Scenario, rules: Rules) -> None:
        self._scenario = scenario
        self._rules = rules
        self._numbers: dict[House, int] = {}
        self._houses: list[House] = []
        self._come_from: list[tuple[int, str]] = []
        self._fairly_from: list[array[int]] = []  # backwards, over fair moves only
        self._todo: deque[int] = deque()

    def explore(self) -> Verdict:
        """Safety on every step; then liveness: from each house, with no further fault and no user, all jobs can still end.

        Under fairness, what can always still happen does happen.
        """
        self._number(canonical(self._scenario.beginning()), 0, "")
        while self._todo:
            number = self._todo.popleft()
            label = "?"
            house = self._houses[number]
            try:
                for move in self._scenario.moves(self._rules, house):
                    label = move.label
                    check(house, move, self._scenario.jobs, self._rules.max_attempts)
                    after = self._number(canonical(move.after), number, label)
                    if move.fair:
                        self._fairly_from[after].append(number)
            except Violation as violation:
                return Verdict(
                    len(self._houses), str(violation), (*self._trace(number), f"after that, or as that: {label}")
                )
        return self._liveness()

    def _number(self, house: House, come_from: int, label: str) -> int:
        number = self._numbers.setdefault(house, len(self._houses))
        if number == len(self._houses):
            self._houses.append(house)
            self._come_from.append((come_from, label))
            self._fairly_from.append(array("l"))
            self._todo.append(number)
        return number

    def _liveness(self) -> Verdict:
        todo = [number for number, house in enumerate(self._houses) if all(job.state in FINISHED for job in house.jobs)]
        can_end = set(todo)
        while todo:
            new = [number for number in self._fairly_from[todo.pop()] if number not in can_end]
            can_end.update(new)
            todo.extend(new)
        stuck = next((number for number in range(len(self._houses)) if number not in can_end), None)
        if stuck is None:
            return Verdict(len(self._houses))
        return Verdict(len(self._houses), f"stuck: {self._houses[stuck].jobs}", self._trace(stuck))

    def _trace(self, number: int) -> tuple[str, ...]:
        labels: list[str] = []
        while number:
            number, label = self._come_from[number]
            labels.append(label)
        return tuple(reversed(labels))


def explore(scenario: Scenario, damage: frozenset[str] = frozenset()) -> Verdict:
    return Explorer(scenario, Rules(scenario.max_attempts, damage=damage)).explore()
