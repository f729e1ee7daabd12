"""784-1024-1024-10: the multilayer perceptron that queues are compared with. Its weights are drawn, not trained."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from ml_service.model import Batching, LoadContext, Model, Payload, Run

PIXELS = 784
HIDDEN = 1024
CLASSES = 10


class Mlp(Model):
    name = "bench-mlp"
    description = "A multilayer perceptron with random weights, to be measured."
    example: ClassVar = {"pixels": [0.5] * PIXELS}
    batching = Batching(max_size=32, max_wait=0.01)

    class Input(Payload):
        pixels: Annotated[list[float], Field(min_length=PIXELS, max_length=PIXELS)]

    class Output(Payload):
        logits: list[float]

    def load(self, context: LoadContext) -> None:
        torch.manual_seed(0)
        layers = [torch.nn.Linear(PIXELS, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, HIDDEN), torch.nn.ReLU()]
        self._network = torch.nn.Sequential(*layers, torch.nn.Linear(HIDDEN, CLASSES)).to(context.device).eval()
        self._device = context.device

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        images = torch.tensor([item.pixels for item in batch], device=self._device)
        return [self.Output(logits=row) for row in self._network(images).tolist()]
