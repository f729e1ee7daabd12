"""The limit of a model: the same class, called directly in one process, 32 at a time, on one thread.

Timed is what a worker's child does for a batch as well: JSON text into validated inputs, predict under inference_mode,
outputs into JSON text. No pipe, no database, no broker.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from ml_service.child.importing import import_model
from ml_service.child.run import PredictRun
from ml_service.child.torch_runtime import TorchRuntime
from ml_service.model import LoadContext, Model

BATCH = 32
ONE_THREAD: Mapping[str, str] = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Work(msgspec.Struct, frozen=True):
    """target: as ml_service.discovery has it. inputs: JSON texts."""

    target: str
    inputs: list[str]


async def bare_rate(target: str, inputs: Sequence[str]) -> float:
    """Items a second, measured in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
    )
    answer, _ = await process.communicate(msgspec.json.encode(Work(target, list(inputs))))
    if process.returncode != 0:
        raise RuntimeError(f"the bare model ended with {process.returncode}")
    return float(answer)


def _measure(work: Work) -> float:
    runtime = TorchRuntime()
    model = import_model(work.target)()
    runtime.limit_threads(1)
    model.load(LoadContext("cpu", Path()))
    texts = [text.encode() for text in work.inputs]
    with runtime.inference():
        _serve(model, texts[:BATCH])  # the first call is the slow one
        began = time.perf_counter()
        for begin in range(0, len(texts), BATCH):
            _serve(model, texts[begin : begin + BATCH])
        return len(texts) / (time.perf_counter() - began)


def _serve(model: Model, texts: Sequence[bytes]) -> list[bytes]:
    run = PredictRun(tuple(range(len(texts))), lambda _item, _at, _what: None, frozenset(), whole=True)
    outputs = model.predict([model.Input.model_validate_json(text) for text in texts], run)
    return [output.model_dump_json(warnings="error").encode() for output in outputs]


if __name__ == "__main__":
    print(_measure(msgspec.json.decode(sys.stdin.buffer.read(), type=Work)))  # noqa: T201 - its answer
