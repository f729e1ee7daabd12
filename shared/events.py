"""What happens to a job, numbered: its moves between states, and what its model says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.job import JsonText


class EventType(StrEnum):
    STATE = "state"  # {state, attempt}: moved to it
    PROGRESS = "progress"  # {fraction, message}
    LOG = "log"  # {level, message}
    METRICS = "metrics"  # {values, step}


@dataclass(frozen=True, slots=True)
class Event:
    """seq: counts the job's events from 1, without holes."""

    seq: int
    type: EventType
    at: datetime
    data: JsonText


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One that its worker has to tell of. age: seconds since then; the time itself is the database's to say."""

    type: EventType
    data: Mapping[str, object]
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events of a job in a row. complete: there are no newer ones; ended: and the job has finished with them."""

    events: tuple[Event, ...]
    complete: bool
    ended: bool
