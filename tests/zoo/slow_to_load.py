"""Takes its time to load."""

import ctypes
from collections.abc import Sequence

from ml_service.model import LoadContext, Model, Payload, Run


class SlowToLoad(Model):
    name = "slow-to-load"

    class Input(Payload):
        pass

    class Output(Payload):
        pass

    def load(self, context: LoadContext) -> None:
        ctypes.CDLL(None).usleep(500_000)

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        raise AssertionError
