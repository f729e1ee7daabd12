"""A model that takes 5 ms for each item, as one on a device of its own does: it waits, and needs no core meanwhile."""

import time
from collections.abc import Sequence
from typing import ClassVar

from ml_service.model import Batching, Model, Payload, Run

PER_ITEM = 0.005  # seconds


class Slow(Model):
    name = "bench-slow"
    description = "Takes 5 ms for each item of a batch, to be measured."
    example: ClassVar = {"number": 1}
    batching = Batching(max_size=32, max_wait=0.01)

    class Input(Payload):
        number: int

    class Output(Payload):
        number: int

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        time.sleep(PER_ITEM * len(batch))
        return [self.Output(number=item.number) for item in batch]
