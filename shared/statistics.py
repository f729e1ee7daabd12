"""How the queues are doing, as values. All of it is of the system, none of it of one owner."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.states import JobState


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds; None: no job to tell it from."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """What a queue has to do. counts: of the unfinished states. oldest: seconds that the first has waited by now."""

    counts: Mapping[JobState, int]
    oldest: float | None = None


@dataclass(frozen=True, slots=True)
class QueueFlow:
    """What a queue has done lately. done: jobs that succeeded or failed within the last minute."""

    done: int
    waiting: Percentiles
    running: Percentiles


@dataclass(frozen=True, slots=True)
class QueuePace:
    """What an estimate is made from.

    usual: seconds, the median running time of the latest jobs. rate: of these, so many ended a second. waiting: jobs, at
    most 1,000. workers: that pull from it now.
    """

    usual: float | None
    rate: float | None
    waiting: int
    workers: int
