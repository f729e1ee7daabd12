"""Fulfils the interface, and says what the database does not take."""

from collections.abc import Sequence
from typing import Any, ClassVar

from ml_service.model import Model, Payload, Run


class Unstorable(Model):
    name = "unstorable"
    example: ClassVar[dict[str, Any] | None] = {"text": "\0"}

    class Input(Payload):
        text: str

    class Output(Payload):
        text: str

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        return [self.Output(text=item.text) for item in batch]
