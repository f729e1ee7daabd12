"""Runs a batch so that each item gets an outcome of its own: one bad input, or one bad output, fails alone."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any

from pydantic import BaseModel, ValidationError

from ml_service.child.faults import Failure, Kind, failure_of, invalid_input
from ml_service.child.lifeline import end_copy
from ml_service.child.messages import (
    BatchDone,
    Outcome,
    Outcomes,
    RunBatch,
    Said,
    Saying,
    Stopped,
    Succeeded,
    ToParent,
)
from ml_service.child.outputs import RESULT_LIMIT, counted, dumped
from ml_service.child.run import PredictRun, Tell
from ml_service.child.torch_runtime import TorchRuntime
from ml_service.child.uploads import JobUploads, UploadStore
from ml_service.model import Model
from shared.uploads import parse_upload_id, whole_reference

FRAME_BYTES = 4 * 1024 * 1024  # the parent takes in a frame at once, and renews its lease between two
# Of inputs that are uploads, in one call of predict: the items that would make it more wait for the next one.
DOCUMENT_BYTES = 64 * 1024 * 1024

logger = logging.getLogger(__name__)

Part = tuple[int, ...]  # items of the batch, by place


class DeviceLost(Exception):
    """The device is in a state that only a new process gets it out of."""


class BatchRunner:
    """Serves one model, a batch at a time. Whatever its code raises becomes outcomes, only DeviceLost gets out."""

    def __init__(
        self,
        model: Model,
        runtime: TorchRuntime,
        send: Callable[[ToParent], None],
        uploads: UploadStore | None = None,  # None: inputs refer to none
        result_limit: int = RESULT_LIMIT,
    ) -> None:
        self._model = model
        self._schema = model.Input.model_json_schema()
        self._runtime = runtime
        self._send = send
        self._process = os.getpid()
        self._uploads = uploads
        self._result_limit = result_limit

    def run(self, batch: RunBatch, cancelled: AbstractSet[int]) -> None:
        """A part that raises is halved until the culprits stand alone. Outcomes are sent as they come."""
        parts: list[Part] = [tuple(range(len(batch.items)))]
        uploads = self._uploads_of(batch)
        while parts:
            outcomes, again = self._attempt(batch, parts.pop(), uploads, cancelled)
            parts.extend(reversed(again))
            for some in _in_frames(outcomes):
                self._send(Outcomes(batch.batch, some))
        self._send(BatchDone(batch.batch))

    def _attempt(
        self, batch: RunBatch, part: Part, uploads: Sequence[JobUploads | None], cancelled: AbstractSet[int]
    ) -> tuple[Iterable[tuple[int, Outcome]], Sequence[Part]]:
        """One call of predict: the outcomes it gave, and the parts of it that have to be tried again, or at all.

        Results become text as they are asked for: all of a batch's at once may be more than memory has place for.
        """
        outcomes: dict[int, Outcome] = {}
        inputs: dict[int, BaseModel] = {}
        later: list[Part] = []
        documents = 0  # bytes
        for place, index in enumerate(part):
            if index in cancelled:
                outcomes[index] = Stopped()
                continue
            documents += self._parse(index, batch.items[index].input, uploads[index], inputs, outcomes)
            if documents >= DOCUMENT_BYTES and place + 1 < len(part):
                later = [part[place + 1 :]]
                break
        if not inputs:
            return outcomes.items(), later
        live = tuple(inputs)
        run = PredictRun(live, self._teller(batch.batch), cancelled, whole=len(live) == len(batch.items))
        outputs = self._predict(list(inputs.values()), run)
        run.end()
        if isinstance(outputs, Failure):
            failed, again = _divide(live, outputs, cancelled)
            return (outcomes | failed).items(), [*again, *later]
        given = zip(live, outputs, strict=True)
        results = ((index, self._outcome(output, stopped=index in run.told)) for index, output in given)
        return chain(outcomes.items(), results), later

    def _uploads_of(self, batch: RunBatch) -> list[JobUploads | None]:
        """All items wait together: their time limit is one."""
        store = self._uploads
        if store is None:
            return [None] * len(batch.items)
        until = store.clock() + batch.patience
        return [JobUploads(store, {one.id: one for one in item.uploads}, until) for item in batch.items]

    def _parse(
        self,
        index: int,
        text: bytes,
        uploads: JobUploads | None,
        inputs: dict[int, BaseModel],
        outcomes: dict[int, Outcome],
    ) -> int:
        """Anew for each call of predict, which may have changed the inputs of the last one. -> bytes of its document."""
        try:
            document = self._document(text, uploads)
            inputs[index] = self._model.Input.model_validate_json(document or text, context=uploads)
        except ValidationError as error:
            outcomes[index] = invalid_input(error).outcome()
        except BaseException as error:  # noqa: BLE001 - a validator is the model's code too
            outcomes[index] = self._failure(error).outcome()
        else:
            return len(document or b"")
        return 0

    def _document(self, text: bytes, uploads: JobUploads | None) -> bytes | None:
        """The input that is meant, where `text` only says which upload it is; else None."""
        named = whole_reference(text, self._schema) if uploads is not None else None
        upload = None if named is None else parse_upload_id(named)
        return None if upload is None or uploads is None else uploads.read(upload)

    def _predict(self, inputs: list[BaseModel], run: PredictRun) -> Sequence[Any] | Failure:
        try:
            with self._runtime.inference():
                outputs = counted(self._model.predict(inputs, run), len(inputs))
            self._runtime.synchronize()
        except BaseException as error:  # noqa: BLE001 - SystemExit from a model ends its job, not its neighbours'
            end_copy(self._process, error)
            failure = self._failure(error)
        else:
            end_copy(self._process)
            return outputs
        # Out of the except clause: until here the exception kept the tensors of every frame it passed.
        if failure.kind is Kind.OUT_OF_MEMORY:
            self._runtime.free_memory()
        return failure

    def _outcome(self, output: Any, *, stopped: bool) -> Outcome:
        if stopped:
            return Stopped()
        try:
            return Succeeded(dumped(output, self._model.Output, self._result_limit))
        except BaseException as error:  # noqa: BLE001 - a serializer is the model's code too
            return self._failure(error).outcome()

    def _failure(self, error: BaseException) -> Failure:
        failure = failure_of(error, self._runtime.torch)
        if failure.kind is Kind.DEVICE_LOST:
            raise DeviceLost(failure.message) from error
        if failure.kind is Kind.MODEL_ERROR:
            logger.error("%s: the model raised", self._model.name, exc_info=error)
        return failure

    def _teller(self, batch: int) -> Tell:
        def tell(item: int | None, at: float, what: Saying) -> None:
            self._send(Said(batch, item, at, what))

        return tell


def _divide(part: Part, failure: Failure, cancelled: AbstractSet[int]) -> tuple[dict[int, Outcome], Sequence[Part]]:
    """What a call that raised leaves: outcomes, and parts to try again."""
    stopped: dict[int, Outcome] = {index: Stopped() for index in part if index in cancelled}
    if failure.kind is Kind.STOPPED and stopped:
        rest = tuple(index for index in part if index not in stopped)
        return stopped, [rest] if rest else []
    if len(part) == 1:
        return {part[0]: failure.outcome()}, []
    middle = len(part) // 2
    return {}, [part[:middle], part[middle:]]


def _in_frames(outcomes: Iterable[tuple[int, Outcome]]) -> Iterator[dict[int, Outcome]]:
    """The outcomes in groups of about FRAME_BYTES; a larger result is a group by itself."""
    group: dict[int, Outcome] = {}
    size = 0
    for index, outcome in outcomes:
        length = len(outcome.result) if isinstance(outcome, Succeeded) else 0
        if group and size + length > FRAME_BYTES:
            yield group
            group, size = {}, 0
        group[index] = outcome
        size += length
    if group:
        yield group
