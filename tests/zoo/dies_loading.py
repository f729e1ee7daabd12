"""Takes its process with it while it loads."""

import os
from collections.abc import Sequence

from ml_service.model import LoadContext, Model, Payload, Run


class DiesLoading(Model):
    name = "dies-loading"

    class Input(Payload):
        pass

    class Output(Payload):
        pass

    def load(self, context: LoadContext) -> None:
        os._exit(9)

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        raise AssertionError
