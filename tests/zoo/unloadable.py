"""Its weights are not there."""

from collections.abc import Sequence

from ml_service.model import LoadContext, Model, Payload, Run


class Unloadable(Model):
    name = "unloadable"

    class Input(Payload):
        pass

    class Output(Payload):
        pass

    def load(self, context: LoadContext) -> None:
        (context.files / "weights.safetensors").read_bytes()

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        raise AssertionError
