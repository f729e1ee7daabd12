"""The attempts that this worker holds, and one batch of them on its way through the child."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from ml_service.worker.desk import InHand
from shared.database.claims import Claimed


@dataclass(slots=True, eq=False)
class Attempt:
    """A claimed job, until it is settled."""

    claimed: Claimed
    in_hand: InHand
    worker: UUID  # the incarnation that claimed it
    cancelled: bool = False  # asked to stop

    @property
    def key(self) -> tuple[UUID, int]:
        return self.claimed.id, self.claimed.attempt


@dataclass(slots=True)
class Batch:
    """What goes to the child together. `stop_asked` wakes whoever watches the batch run."""

    attempts: list[Attempt]
    alone: bool
    started: bool = False  # noted with the claim; the gate was entered before it
    waiting: bool = True  # for its model or for the others to end: the child has not been given it, nor is about to be
    hand_back: bool = False  # asked to stop because the worker goes away
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def timeout(self) -> float:
        """Seconds; the shortest in the batch."""
        return min(attempt.claimed.execution_timeout for attempt in self.attempts)


class HeldAttempts:
    """Every attempt between its claim and its settlement. The heartbeat compares it with what the database notes."""

    def __init__(self) -> None:
        self._held: dict[tuple[UUID, int], Attempt] = {}
        self.claiming: set[UUID] = set()  # ids whose claim is under way: the answer may be on its way

    def __iter__(self) -> Iterator[Attempt]:
        return iter(list(self._held.values()))

    def __len__(self) -> int:
        return len(self._held)

    def add(self, attempt: Attempt) -> None:
        self._held[attempt.key] = attempt

    def discard(self, attempt: Attempt) -> None:
        self._held.pop(attempt.key, None)

    def find(self, key: tuple[UUID, int]) -> Attempt | None:
        return self._held.get(key)
