"""What an exception from a model's code means for the job, and what may be said of it."""

from collections.abc import Iterable
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
    kind = _kind_of(error, torch)
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
        case RuntimeError() if torch is not None:
            return _kind_of_torch_error(error, torch)
        case _:
            return Kind.MODEL_ERROR


def _kind_of_torch_error(error: RuntimeError, torch: Any) -> Kind:
    text = _text(error)
    # The allocators of CPU and MPS have no class of their own; cuBLAS says it with a status.
    signs = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    if isinstance(error, torch.OutOfMemoryError) or any(sign in text for sign in signs):
        return Kind.OUT_OF_MEMORY
    if isinstance(error, torch.AcceleratorError) or "CUDA error" in text:
        return Kind.DEVICE_LOST
    return Kind.MODEL_ERROR


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
