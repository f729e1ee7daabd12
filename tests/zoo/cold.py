"""Loads, but fails on its own example."""

from collections.abc import Sequence
from typing import Any, ClassVar

from ml_service.model import Model, Payload, Run


class Cold(Model):
    name = "cold"
    example: ClassVar[dict[str, Any] | None] = {}

    class Input(Payload):
        pass

    class Output(Payload):
        pass

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        raise ValueError("too cold")
