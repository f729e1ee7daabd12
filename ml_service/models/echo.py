"""`echo`: gives back what it was given, or misbehaves as asked. For load and fault tests; never imports torch."""

import ctypes
import os
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar, Never

from pydantic import Field

from ml_service.model import Batching, Model, Payload, Run
from shared.errors import RetryableError

TICK = 0.05  # seconds between two looks at whether a sleeper was cancelled
LEAK_STEP = 8 * 2**20  # bytes
LEAK_STEPS = 8  # 64 MiB a job: a few jobs pass any sensible limit, one alone does not bring down a small machine


class Behave(StrEnum):
    OK = "ok"
    RAISE = "raise"  # an ordinary exception: model_error
    RAISE_RETRYABLE = "raise_retryable"  # shared.errors.RetryableError
    HANG = "hang"  # sleeps for ever and does not look at cancellation
    HOLD_GIL = "hold_gil"  # no other thread of the process gets to run for `seconds`
    SEGFAULT = "segfault"  # a real SIGSEGV
    EXIT = "exit"  # ends the process with status 3, without a word
    LEAK = "leak"  # keeps 64 MiB for ever, also while it sleeps, then answers
    NAN = "nan"  # answers a number that JSON does not have


class Echo(Model):
    name = "echo"
    description = "Gives back its value; can sleep, fail, hang, leak or crash on request. For load and fault tests."
    # No sleep in it: a worker computes the example before it takes jobs.
    example: ClassVar = {"value": {"hello": "world"}, "seconds": 0, "behave": "ok"}
    # A batch sleeps as long as its longest sleeper, not for the sum: 32 jobs of a second take a second.
    batching = Batching(max_size=32, max_wait=0.01)

    class Input(Payload):
        value: Any = Field(default=None, title="Value", description="Any JSON. Comes back as it is.")
        seconds: float = Field(
            default=0,
            ge=0,
            le=86_400,
            title="Seconds",
            description="How long to sleep first; with hold_gil, how long to hold it.",
        )
        behave: Behave = Field(
            default=Behave.OK, title="Behave", description="What to do after the sleep; `leak` is done before it."
        )

    class Output(Payload):
        value: Any = Field(title="Value")

    def __init__(self) -> None:
        self._leaked: list[bytes] = []

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        for _ in filter(lambda item: item.behave is Behave.LEAK, batch):
            # Written to, or the system would not count it.
            self._leaked.extend(b"\1" * LEAK_STEP for _ in range(LEAK_STEPS))
        _sleep([0 if item.behave is Behave.HOLD_GIL else item.seconds for item in batch], run)
        return [self.Output(value=self._behave(item)) for item in batch]

    def _behave(self, item: Input) -> Any:
        match item.behave:
            case Behave.OK | Behave.LEAK:
                return item.value
            case Behave.NAN:
                return {"nan": float("nan")}
            case Behave.HOLD_GIL:
                _hold_gil(item.seconds)
                return item.value
            case Behave.RAISE:
                raise RuntimeError("raised as asked")
            case Behave.RAISE_RETRYABLE:
                raise RetryableError("raised as asked; another attempt may do better")
            case Behave.HANG:
                _hang()
            case Behave.SEGFAULT:
                ctypes.string_at(0)
            case Behave.EXIT:
                os._exit(3)
        raise AssertionError(item.behave)


def _sleep(seconds: Sequence[float], run: Run) -> None:
    """As long as the longest that is not cancelled, and tells how far each is."""
    start = time.monotonic()
    while True:
        slept = time.monotonic() - start
        sleeping = [index for index, wanted in enumerate(seconds) if wanted > slept and not run.cancelled(index)]
        if not sleeping:
            return run.check_cancelled()
        for index in sleeping:
            run.progress(slept / seconds[index], f"slept {slept:.1f} of {seconds[index]:g} s", item=index)
        time.sleep(min(TICK, max(seconds[index] for index in sleeping) - slept))


def _hold_gil(seconds: float) -> None:
    """PyDLL calls C without letting go of the GIL, and poll(NULL, 0, ms) is one call that waits: no bytecode in between."""
    ctypes.PyDLL(None).poll(None, 0, round(seconds * 1000))


def _hang() -> Never:
    while True:
        time.sleep(3600)
