"""What goes wrong on request. Seeded, so that a run can be repeated."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import count
from typing import Annotated

import msgspec


class Kind(StrEnum):
    DROP = "drop"  # a message never reaches a subscription
    REPEAT = "repeat"  # it comes more than once
    DELAY = "delay"  # it comes later
    REORDER = "reorder"  # it comes before others that were there first
    REFUSE = "refuse"  # a call gets an error
    HANG = "hang"  # a call gets no answer, until its caller gives up, `seconds` are over or the faults are withdrawn


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instruction, until it is used up or reset."""

    kind: Kind
    resource: str = "*"  # of a topic, subscription or snapshot: its full name or its id, with * and ?
    method: str = "*"  # for refuse and hang: `Publish`, `Pull`, ...; with * and ?
    probability: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 1.0
    limit: Annotated[int, msgspec.Meta(ge=0)] | None = None  # how often at most
    copies: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1  # for repeat: how many more
    # For delay, and the copies of repeat: at least so many. For hang: exactly so many, and 0 is for ever.
    seconds: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    spread: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0  # and at most so many more, drawn anew for each
    status: str = "UNAVAILABLE"  # for refuse
    text: str = "refused as told"  # for refuse


class Told(msgspec.Struct, frozen=True):
    """One fault, and how often it was used."""

    number: int
    fault: Fault
    injected: int


class Arrival(msgspec.Struct, frozen=True):
    """How one copy of a message enters a subscription."""

    delay: float = 0.0  # seconds
    anywhere: bool = False


_AS_IT_CAME = (Arrival(),)


class Faults:
    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)  # noqa: S311 nothing is to be kept secret
        self._numbers = count(1)
        self._told: dict[int, Fault] = {}
        self._injected: Counter[int] = Counter()

    def tell(self, fault: Fault) -> int:
        """Returns its number."""
        number = next(self._numbers)
        self._told[number] = fault
        return number

    def seed(self, seed: int) -> None:
        self.random.seed(seed)

    def withdraw(self, number: int) -> None:
        self._told.pop(number, None)
        self._injected.pop(number, None)

    def report(self) -> list[Told]:
        return [Told(number, fault, self._injected[number]) for number, fault in self._told.items()]

    def arrivals(self, *names: str) -> Sequence[Arrival]:
        """Of one message for one subscription, where `names` are those of the subscription and its topic."""
        if not self._told:
            return _AS_IT_CAME
        arrivals = [Arrival()]
        for number, fault in self._striking(names, ""):
            arrivals = self._changed(arrivals, fault, number)
        return arrivals

    def call(self, method: str, names: Iterable[str]) -> Fault | None:
        """A refusal or a hang, if this call is to have one."""
        if not self._told:
            return None
        for number, fault in self._striking(tuple(names), method):
            self._injected[number] += 1
            return fault
        return None

    def _changed(self, arrivals: list[Arrival], fault: Fault, number: int) -> list[Arrival]:
        if not arrivals:
            return arrivals
        self._injected[number] += 1
        if fault.kind is Kind.DROP:
            return []
        if fault.kind is Kind.REPEAT:
            return arrivals + [Arrival(self._drawn(fault)) for _ in range(fault.copies)]
        if fault.kind is Kind.DELAY:
            return [Arrival(one.delay + self._drawn(fault), one.anywhere) for one in arrivals]
        return [Arrival(one.delay, anywhere=True) for one in arrivals]

    def _drawn(self, fault: Fault) -> float:
        return fault.seconds + self.random.uniform(0.0, fault.spread)

    def _striking(self, names: Sequence[str], method: str) -> Iterable[tuple[int, Fault]]:
        """The faults that apply now: to a call if there is a method, otherwise to a message."""
        for number, fault in list(self._told.items()):
            if (fault.kind in _OF_CALLS) is not bool(method) or not matches(fault.resource, names):
                continue
            if method and not fnmatchcase(method, fault.method):
                continue
            if fault.limit is not None and self._injected[number] >= fault.limit:
                continue
            if fault.probability >= 1.0 or self.random.random() < fault.probability:
                yield number, fault


_OF_CALLS = (Kind.REFUSE, Kind.HANG)


def matches(pattern: str, names: Sequence[str]) -> bool:
    """Whether it is one of these names, or their last part, with * and ?."""
    return pattern == "*" or any(
        fnmatchcase(name, pattern) or fnmatchcase(name.rpartition("/")[2], pattern) for name in names
    )
