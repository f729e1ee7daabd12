"""How a batch is divided, and what each item gets. The same in real processes: test_process.py."""

import json
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from ml_service.child.batch import FRAME_BYTES, BatchRunner, DeviceLost
from ml_service.child.messages import (
    BatchDone,
    BatchItem,
    Failed,
    Outcome,
    Outcomes,
    Progress,
    RunBatch,
    Said,
    Stopped,
    Succeeded,
    ToParent,
)
from ml_service.child.outputs import RESULT_LIMIT
from ml_service.child.torch_runtime import TorchRuntime
from ml_service.model import Model, Payload, Run
from shared.errors import Cancelled
from shared.states import ErrorCode

Numbers = list[int]
Predict = Callable[["Stage", Sequence["Scripted.Input"], Run], Any]


class Scripted(Model):
    name = "scripted"

    class Input(Payload):
        number: int

    class Output(Payload):
        text: str

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage

    def predict(self, batch: Sequence[Input], run: Run) -> Any:
        self._stage.calls.append([item.number for item in batch])
        return self._stage.script(self._stage, batch, run)


class Runtime(TorchRuntime):
    """Counts how often memory was freed, and looks whether the exception's frames are gone by then."""

    torch = torch

    def __init__(self) -> None:
        self.freed = 0
        self.held: weakref.ref[Any] | None = None

    def free_memory(self) -> None:
        self.freed += 1
        assert self.held is None or self.held() is None, "the exception still holds its frames"


class Stage:
    def __init__(self, script: Predict, result_limit: int = RESULT_LIMIT) -> None:
        self.result_limit = result_limit
        self.script = script
        self.calls: list[Numbers] = []
        self.said: list[ToParent] = []
        self.cancelled: set[int] = set()
        self.runtime = Runtime()

    def serve(self, size: int) -> dict[int, Outcome]:
        items = [BatchItem(json.dumps({"number": number}).encode()) for number in range(size)]
        runner = BatchRunner(Scripted(self), self.runtime, self.said.append, result_limit=self.result_limit)
        runner.run(RunBatch(7, items), self.cancelled)
        assert self.said[-1] == BatchDone(7)
        outcomes: dict[int, Outcome] = {}
        for message in self.said:
            if isinstance(message, Outcomes):
                assert not outcomes.keys() & message.outcomes.keys(), "an item has two outcomes"
                outcomes |= message.outcomes
        assert sorted(outcomes) == list(range(size))
        return outcomes


def texts(batch: Sequence[Scripted.Input]) -> list[Scripted.Output]:
    return [Scripted.Output(text=str(item.number)) for item in batch]


def ok(number: int) -> Succeeded:
    return Succeeded(f'{{"text":"{number}"}}'.encode())


def all_ok(size: int, **others: Outcome) -> dict[int, Outcome]:
    return {number: ok(number) for number in range(size)} | {int(key[1:]): value for key, value in others.items()}


def poisoned_by(poison: set[int], error: Callable[[], BaseException]) -> Predict:
    def script(_stage: Stage, batch: Sequence[Scripted.Input], _run: Run) -> Any:
        if any(item.number in poison for item in batch):
            raise error()
        return texts(batch)

    return script


@pytest.mark.parametrize("poison", [{0}, {7}, {3, 4}, set(range(8))], ids=str)
def test_culprits_fail_alone(poison: set[int]) -> None:
    outcomes = Stage(poisoned_by(poison, lambda: ValueError("bad"))).serve(8)
    bad = Failed(ErrorCode.MODEL_ERROR, "ValueError: bad")
    assert outcomes == {number: bad if number in poison else ok(number) for number in range(8)}


def test_the_batch_is_halved_in_order() -> None:
    stage = Stage(poisoned_by({2}, lambda: ValueError("bad")))
    stage.serve(4)
    assert stage.calls == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [3]]


def test_a_wrong_count_is_halved_like_an_error() -> None:
    stage = Stage(lambda _stage, batch, _run: texts([item for item in batch if item.number != 1]))
    outcomes = stage.serve(3)
    assert outcomes.pop(1) == Failed(ErrorCode.MODEL_ERROR, "BadOutput: predict returned 0 outputs for 1 inputs")
    assert outcomes == {0: ok(0), 2: ok(2)}


def test_inputs_that_a_failed_call_changed_are_as_new_in_the_next_one() -> None:
    def script(_stage: Stage, batch: Sequence[Scripted.Input], _run: Run) -> Any:
        result = texts(batch)
        for item in batch:
            item.number = -1
        if len(batch) > 1:
            raise ValueError
        return result

    assert Stage(script).serve(2) == all_ok(2)


def test_out_of_memory_is_halved_freed_and_alone_has_its_own_code() -> None:
    class Tensor:
        pass

    def script(stage: Stage, batch: Sequence[Scripted.Input], _run: Run) -> Any:
        tensor = Tensor()
        stage.runtime.held = weakref.ref(tensor)
        if len(batch) > 2 or any(item.number == 3 for item in batch):
            raise MemoryError
        return texts(batch)

    stage = Stage(script)
    assert stage.serve(4) == all_ok(4, _3=Failed(ErrorCode.OUT_OF_MEMORY, "MemoryError"))
    assert stage.calls == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [3]]
    assert stage.runtime.freed == 3


def test_a_lost_device_ends_it_all_without_an_outcome() -> None:
    stage = Stage(poisoned_by({1}, lambda: RuntimeError("CUDA error: an illegal memory access was encountered")))
    with pytest.raises(DeviceLost):
        stage.serve(2)
    assert stage.said == []


def test_a_device_that_fails_behind_the_call_fails_this_batch_and_not_the_next() -> None:
    """Kernels run on after `predict` has returned."""
    stage = Stage(lambda _stage, batch, _run: texts(batch))

    def fail() -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    stage.runtime.synchronize = fail  # type: ignore[method-assign]
    with pytest.raises(DeviceLost, match="unspecified launch failure"):
        stage.serve(2)
    assert stage.said == []


@pytest.mark.parametrize("initialized", [True, False])
def test_only_a_device_in_use_is_waited_for(monkeypatch: pytest.MonkeyPatch, *, initialized: bool) -> None:
    waited: list[bool] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: initialized)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(True))
    TorchRuntime().synchronize()
    assert waited == [True] * initialized


def test_an_item_cancelled_before_its_call_is_never_computed() -> None:
    stage = Stage(lambda _stage, batch, _run: texts(batch))
    stage.cancelled.add(1)
    assert stage.serve(3) == all_ok(3, _1=Stopped())
    assert stage.calls == [[0, 2]]


def test_a_batch_cancelled_before_it_starts_is_no_call_at_all() -> None:
    stage = Stage(lambda _stage, batch, _run: texts(batch))
    stage.cancelled.update({0, 1})
    assert stage.serve(2) == {0: Stopped(), 1: Stopped()}
    assert stage.calls == []


def test_cancelled_stops_those_who_were_asked_and_the_others_are_tried_again() -> None:
    def script(stage: Stage, batch: Sequence[Scripted.Input], _run: Run) -> Any:
        if len(batch) == 3:
            stage.cancelled.add(1)
            raise Cancelled
        return texts(batch)

    stage = Stage(script)
    assert stage.serve(3) == all_ok(3, _1=Stopped())
    assert stage.calls == [[0, 1, 2], [0, 2]]


def test_cancelled_raised_though_nobody_was_asked_is_a_model_error() -> None:
    outcomes = Stage(poisoned_by({0}, Cancelled)).serve(2)
    assert outcomes == all_ok(2, _0=Failed(ErrorCode.MODEL_ERROR, "Cancelled"))


def test_a_finished_result_counts_unless_the_model_knew_that_nobody_wants_it() -> None:
    def script(stage: Stage, batch: Sequence[Scripted.Input], run: Run) -> Any:
        stage.cancelled.update({0, 1})
        assert run.cancelled(1)
        return texts(batch)

    assert Stage(script).serve(3) == all_ok(3, _1=Stopped())


def test_after_a_split_progress_and_cancellation_name_the_right_jobs() -> None:
    def script(stage: Stage, batch: Sequence[Scripted.Input], run: Run) -> Any:
        if len(batch) > 1:
            raise ValueError
        run.progress(0.5, item=0)
        run.progress(0.7)
        if batch[0].number == 1:
            stage.cancelled.add(1)
            assert run.cancelled(0)
        return texts(batch)

    stage = Stage(script)
    assert stage.serve(2) == all_ok(2, _1=Stopped())
    progress = [
        (message.item, message.what.fraction)
        for message in stage.said
        if isinstance(message, Said) and isinstance(message.what, Progress)
    ]
    assert progress == [(0, 0.5), (0, 0.7), (1, 0.5), (1, 0.7)]


def test_one_result_that_is_too_large_fails_alone() -> None:
    def script(_stage: Stage, batch: Sequence[Scripted.Input], _run: Run) -> Any:
        return [Scripted.Output(text="x" * (2000 if item.number == 1 else 10)) for item in batch]

    outcomes = Stage(script, result_limit=1000).serve(3)
    assert [type(outcomes[place]) for place in range(3)] == [Succeeded, Failed, Succeeded]
    failed = outcomes[1]
    assert isinstance(failed, Failed)
    assert (failed.code, failed.retryable) == (ErrorCode.MODEL_ERROR, False)
    assert "may have 1000" in failed.message


def test_large_results_come_in_several_frames() -> None:
    def script(_stage: Stage, batch: Sequence[Scripted.Input], _run: Run) -> Any:
        return [Scripted.Output(text="x" * (FRAME_BYTES // 2)) for _ in batch]

    stage = Stage(script)
    stage.serve(4)
    frames = [message for message in stage.said if isinstance(message, Outcomes)]
    assert [sorted(frame.outcomes) for frame in frames] == [[0], [1], [2], [3]]
