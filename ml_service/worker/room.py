"""How many more jobs a worker may pull for a model: enough to keep its child busy, and no job that another could be running."""

import math

# Beside a batch that takes longer than this nothing is claimed ahead: what the device would wait for the next one (a pull, a
# claim, some 0.1 s) is little beside it, and a job waiting here could be running elsewhere. What is here already when a batch
# turns out to be such a one is passed on.
AHEAD_BELOW = 5.0  # seconds
# Short batches are claimed ahead for this long: a pull's round trip, and the ticks on which brokers deliver.
AHEAD_FOR = 0.25  # seconds
AHEAD_AT_MOST = 16  # batches
# How fast the estimate follows: the weight of the latest batch.
WEIGHT = 0.3


class BatchSeconds:
    """A running estimate of how long a batch takes; None until the first has ended."""

    def __init__(self) -> None:
        self.estimate: float | None = None

    def note(self, seconds: float) -> None:
        old = self.estimate
        self.estimate = seconds if old is None else WEIGHT * seconds + (1 - WEIGHT) * old


def batches_ahead(seconds: float | None) -> int:
    """How many batches to have at hand besides the one that runs, given how long one takes (None: not known yet)."""
    if seconds is None or seconds > AHEAD_BELOW:
        return 0
    return max(1, min(AHEAD_AT_MOST, math.ceil(AHEAD_FOR / max(seconds, 1e-6))))


def room(*, max_size: int, idle: bool, ahead: int, pending: int) -> int:
    """Jobs that may still be pulled. pending: those at hand that have not started."""
    return max(0, max_size * (ahead + idle) - pending)
