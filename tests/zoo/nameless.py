"""Forgot to give its name."""

from collections.abc import Sequence

from ml_service.model import Model, Payload, Run


class Nameless(Model):
    class Input(Payload):
        pass

    class Output(Payload):
        pass

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        raise AssertionError
