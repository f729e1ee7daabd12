"""What goes wrong on request. Seeded, so that a run can be repeated."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import count

import msgspec


class Kind(StrEnum):
    DROP = "drop"  # a message never reaches a subscription
    REPEAT = "repeat"  # it comes more than once
    DELAY = "delay"  # it comes later
    REORDER = "reorder"  # it comes before others that were there first
    REFUSE = "refuse"  # a call gets an error
    HANG = "hang"  # a call gets no answer, until its caller gives up or the faults are reset


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An instruction, until it is used up or reset."""

    kind: Kind
    resource: str = "*"  # of a topic, subscription or snapshot: its full name or its id, with * and ?
    method: str = "*"  # for refuse and hang: `Publish`, `Pull`, ...; with * and ?
    probability: float = 1.0
    limit: int | None = None  # how often at most
    copies: int = 1  # for repeat: how many more
    seconds: float = 0.0  # for delay, and for the copies of repeat: at least
    spread: float = 0.0  # and at most so many more, drawn anew for each
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

    def reset(self) -> None:
        self._told.clear()
        self._injected.clear()

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
            if (fault.kind in _OF_CALLS) is not bool(method) or not _names_one(fault.resource, names):
                continue
            if method and not fnmatchcase(method, fault.method):
                continue
            if fault.limit is not None and self._injected[number] >= fault.limit:
                continue
            if fault.probability >= 1.0 or self.random.random() < fault.probability:
                yield number, fault


_OF_CALLS = (Kind.REFUSE, Kind.HANG)


def _names_one(pattern: str, names: Sequence[str]) -> bool:
    return pattern == "*" or any(
        fnmatchcase(name, pattern) or fnmatchcase(name.rpartition("/")[2], pattern) for name in names
    )
