"""Looks at how torch is set up around it."""

from collections.abc import Sequence

import torch

from ml_service.model import LoadContext, Model, Payload, Run


class TorchUser(Model):
    name = "torch-user"

    class Input(Payload):
        break_device: bool = False

    class Output(Payload):
        device: str
        files: list[str]
        threads: int
        inference: bool

    def load(self, context: LoadContext) -> None:
        self.context = context

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        if any(item.break_device for item in batch):
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nHints follow.")
        result = self.Output(
            device=self.context.device,
            files=list(self.context.files.parts[-2:]),
            threads=torch.get_num_threads(),
            inference=torch.is_inference_mode_enabled(),
        )
        return [result for _ in batch]
