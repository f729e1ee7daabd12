"""What an exception from a model's code means for the job, and what may be said of it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ml_service.child.messages import Failed
from shared.errors import Cancelled, InvalidInput, RetryableError
from shared.states import ErrorCode

MESSAGE_LIMIT = 2_000  # characters; a message goes into a row, and into every answer about it
FAULTS_NAMED = 10  # of an input: whoever mends ten will look at the others too


# Only out of memory has a class of its own, and not everywhere: the allocators of CPU and MPS, the driver, Triton and the
# libraries say it in words, or with a status such as CUBLAS_STATUS_ALLOC_FAILED.
_EXHAUSTED = re.compile(r"out of memory|can't allocate memory|ALLOC(?:ATION)?_FAILED")
# What torch 2.13 says of an accelerator without raising AcceleratorError (ATen/cuda/Exceptions.h, c10d, Triton).
_LOST = re.compile(
    r"(?:CUDA|HIP)(?: driver)? error|CUDA unknown error|CUDA driver initialization failed|Triton Error|NCCL [Ee]rror"
    # Of the libraries' statuses those that tell of the device; the others tell of the call, which is the model's.
    r"|error: (?:CUDNN|MIOPEN|CUSOLVER|HIPSOLVER|CUFFT)_\w*"
    r"(?:EXECUTION_FAILED|EXEC_FAILED|INTERNAL_ERROR|MAPPING_ERROR|NOT_INITIALIZED|SETUP_FAILED)"
)


class Kind(Enum):
    STOPPED = auto()
    INVALID_INPUT = auto()
    RETRYABLE = auto()
    OUT_OF_MEMORY = auto()
    DEVICE_LOST = auto()  # after such a CUDA error every later call fails too: only a new process helps
    MODEL_ERROR = auto()


_CODES = {Kind.INVALID_INPUT: ErrorCode.INVALID_INPUT, Kind.OUT_OF_MEMORY: ErrorCode.OUT_OF_MEMORY}


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as a value. It keeps no traceback, which would keep the tensors of the frames it names."""

    kind: Kind
    message: str

    def outcome(self) -> Failed:
        code = _CODES.get(self.kind, ErrorCode.MODEL_ERROR)
        return Failed(code, self.message, retryable=self.kind is Kind.RETRYABLE)


def failure_of(error: BaseException, torch: Any | None) -> Failure:
    """torch: the module, if the model brought it in; it knows its own errors."""
    # Whatever a model made of it: the device is lost for everybody after it, too.
    lost = torch is not None and any(_is_lost_device(one, torch) for one in _chain(error))
    kind = Kind.DEVICE_LOST if lost else _kind_of(error, torch)
    # What a model raises with our own classes it says to its users: the class's name would add nothing.
    said = isinstance(error, InvalidInput | RetryableError)
    return Failure(kind, clean(text) if said and (text := _text(error)) else told(error))


def _kind_of(error: BaseException, torch: Any | None) -> Kind:
    match error:
        case InvalidInput():
            return Kind.INVALID_INPUT
        case RetryableError():
            return Kind.RETRYABLE
        case Cancelled():
            return Kind.STOPPED
        case MemoryError():
            return Kind.OUT_OF_MEMORY
        case RuntimeError() if torch is not None and _is_exhausted(error, torch):
            return Kind.OUT_OF_MEMORY
        case _:
            return Kind.MODEL_ERROR


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, and those that it was raised from, or while they were handled."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_exhausted(error: BaseException, torch: Any) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or bool(_EXHAUSTED.search(_text(error)))


def _is_lost_device(error: BaseException, torch: Any) -> bool:
    if not isinstance(error, RuntimeError) or _is_exhausted(error, torch):
        return False
    return isinstance(error, torch.AcceleratorError) or bool(_LOST.search(_text(error)))


def told(error: BaseException) -> str:
    """Type and message, fit for a row. An exception that cannot even say what it is has its type."""
    name, text = type(error).__name__, _text(error)
    return clean(f"{name}: {text}" if text else name)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a model's own __str__ may raise anything
        return ""


def clean(text: str) -> str:
    """Valid UTF-8 without NUL, which Postgres refuses, and not longer than MESSAGE_LIMIT."""
    text = text[: MESSAGE_LIMIT + 1].replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def invalid_input(error: ValidationError) -> Failure:
    """Names the places by JSON Pointer (RFC 6901)."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    text = "; ".join(_fault(fault) for fault in faults[:FAULTS_NAMED])
    more = f"; and {len(faults) - FAULTS_NAMED} more" if len(faults) > FAULTS_NAMED else ""
    return Failure(Kind.INVALID_INPUT, clean(text + more))


def _fault(fault: ErrorDetails) -> str:
    pointer = json_pointer(fault["loc"])
    return f"{pointer}: {fault['msg']}" if pointer else fault["msg"]


def json_pointer(path: Iterable[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
