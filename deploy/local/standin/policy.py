"""What of a subscription's settings decides over its messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Filter = Callable[[Mapping[str, str]], bool]  # of a message's attributes


def everything(_attributes: Mapping[str, str]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds that a message stays away after it was handed back or kept for too long."""

    least: float
    most: float

    def after(self, failures: int) -> float:
        """Doubled with each failure, from the first one on."""
        return min(self.least * 2.0 ** min(failures - 1, 64), self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    ack_deadline: float = 10.0  # seconds
    ordered: bool = False
    exactly_once: bool = False
    backoff: Backoff | None = None  # None: at once
    dead_letter_topic: str = ""
    max_delivery_attempts: int = 0
    retention: float = 604_800.0  # seconds
    retain_acked: bool = False
    accepts: Filter = everything
