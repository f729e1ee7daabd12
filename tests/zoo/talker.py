"""Says a great deal, as a training loop with a forgotten `log` does."""

from collections.abc import Sequence

from ml_service.model import Model, Payload, Run


class Talker(Model):
    name = "talker"
    description = "Tells its lines and losses as fast as it can."

    class Input(Payload):
        lines: int = 0
        losses: int = 0
        loss: float = 0.5
        then_fail: bool = False

    class Output(Payload):
        told: int

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        return [self._talk(index, item, run) for index, item in enumerate(batch)]

    def _talk(self, index: int, item: Input, run: Run) -> Output:
        for number in range(item.lines):
            run.log(number, item=index)
        for step in range(item.losses):
            run.metrics({"loss": item.loss}, step=step, item=index)
        run.progress(0.5, "half of it", item=index)
        if item.then_fail:
            raise RuntimeError("out of words")
        return self.Output(told=item.lines)
