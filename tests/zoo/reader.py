"""Reads the files of its inputs, and says how large they are."""

import threading
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from ml_service.file import File
from ml_service.model import Batching, Model, Payload, Run


class Reader(Model):
    name = "reader"
    batching: ClassVar = Batching(max_size=8)

    class Input(Payload):
        files: list[File] = Field(default_factory=list)
        in_a_thread: bool = False

    class Output(Payload):
        sizes: list[int]
        batch: int

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        return [self.Output(sizes=_sizes(item), batch=len(batch)) for item in batch]


def _sizes(item: Reader.Input) -> list[int]:
    sizes: list[int] = []

    def read() -> None:
        sizes.extend(len(file.read()) for file in item.files)

    if item.in_a_thread:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    else:
        read()
    return sizes
