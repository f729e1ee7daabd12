"""What exceptions mean, and what is said of them."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import BaseModel, Field, ValidationError

from ml_service.child.faults import MESSAGE_LIMIT, Kind, clean, failure_of, invalid_input, told
from ml_service.child.messages import Failed
from shared.errors import Cancelled, InvalidInput, RetryableError
from shared.states import ErrorCode


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("x"), Kind.MODEL_ERROR),
        (KeyboardInterrupt(), Kind.MODEL_ERROR),
        (InvalidInput("x"), Kind.INVALID_INPUT),
        (RetryableError("x"), Kind.RETRYABLE),
        (Cancelled("x"), Kind.STOPPED),
        (MemoryError(), Kind.OUT_OF_MEMORY),
        (torch.OutOfMemoryError("CUDA out of memory."), Kind.OUT_OF_MEMORY),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
            Kind.OUT_OF_MEMORY,
        ),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), Kind.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), Kind.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: device-side assert triggered"), Kind.DEVICE_LOST),
        (torch.AcceleratorError("an illegal memory access was encountered"), Kind.DEVICE_LOST),
        *[
            (RuntimeError(text), Kind.OUT_OF_MEMORY)
            for text in (
                "CUDA error: out of memory",
                "CUDA driver error: out of memory",
                "Triton Error [CUDA]: out of memory",
                "HIP out of memory. Tried to allocate 2.00 GiB.",
                "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
                "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
                "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `x`",
                "cuFFT error: CUFFT_ALLOC_FAILED",
            )
        ],
        (torch.AcceleratorError("CUDA error: out of memory"), Kind.OUT_OF_MEMORY),
        *[
            (RuntimeError(text), Kind.DEVICE_LOST)
            for text in (
                "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`",
                "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
                "CUDA driver error: an illegal memory access was encountered",
                "CUDA unknown error - this may be due to an incorrectly set up environment",
                "HIP error: unspecified launch failure",
                "Triton Error [CUDA]: an illegal memory access was encountered",
                "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
                "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
                "cusolver error: CUSOLVER_STATUS_EXECUTION_FAILED, when calling `x`",
                "cuFFT error: CUFFT_EXEC_FAILED",
                "NCCL Error 1: unhandled cuda error",
            )
        ],
        (torch.distributed.DistBackendError("NCCL error in: x.cpp:1, unhandled cuda error"), Kind.DEVICE_LOST),
        (RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if …"), Kind.MODEL_ERROR),
        (RuntimeError("cuDNN error: CUDNN_STATUS_BAD_PARAM"), Kind.MODEL_ERROR),
        (torch.linalg.LinAlgError("cusolver error: CUSOLVER_STATUS_INVALID_VALUE, when calling `x`"), Kind.MODEL_ERROR),  # type: ignore[attr-defined]
        (ValueError("CUDA error"), Kind.MODEL_ERROR),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), Kind.MODEL_ERROR),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value.name,
)
def test_an_exception_has_its_kind(error: BaseException, kind: Kind) -> None:
    assert failure_of(error, torch).kind is kind


@pytest.mark.parametrize(
    "kind", [InvalidInput, RetryableError, ValueError, MemoryError], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize("chained", [True, False])
def test_a_lost_device_stays_one_whatever_the_model_makes_of_it(kind: type[Exception], *, chained: bool) -> None:
    """Else the next batch would come across it, and a lone attempt be charged."""
    lost = torch.AcceleratorError("CUDA error: device-side assert triggered")

    def predict() -> None:
        try:
            raise lost
        except RuntimeError as error:
            if chained:
                raise kind("bad input") from error
            raise kind("bad input")  # noqa: B904 - as models do

    with pytest.raises(kind) as caught:
        predict()
    assert failure_of(caught.value, torch).kind is Kind.DEVICE_LOST
    assert failure_of(caught.value, None).kind is not Kind.DEVICE_LOST


def test_what_a_model_makes_of_too_little_memory_is_its_own_business() -> None:
    error = InvalidInput("too large for this machine")
    error.__cause__ = torch.OutOfMemoryError("CUDA out of memory.")
    assert failure_of(error, torch).kind is Kind.INVALID_INPUT


def test_an_exception_that_is_its_own_cause_ends() -> None:
    error, other = ValueError("one"), ValueError("other")
    error.__cause__, other.__cause__ = other, error
    assert failure_of(error, torch).kind is Kind.MODEL_ERROR


def test_an_allocator_that_fails_for_real_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert failure_of(caught.value, torch).kind is Kind.OUT_OF_MEMORY


def test_without_torch_a_runtime_error_is_the_models() -> None:
    assert failure_of(RuntimeError("CUDA error"), None).kind is Kind.MODEL_ERROR


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError("bad"), Failed(ErrorCode.MODEL_ERROR, "ValueError: bad")),
        (ValueError(), Failed(ErrorCode.MODEL_ERROR, "ValueError")),
        (InvalidInput("too long"), Failed(ErrorCode.INVALID_INPUT, "too long")),
        (InvalidInput(), Failed(ErrorCode.INVALID_INPUT, "InvalidInput")),
        (RetryableError("later"), Failed(ErrorCode.MODEL_ERROR, "later", retryable=True)),
        (MemoryError(), Failed(ErrorCode.OUT_OF_MEMORY, "MemoryError")),
        (Unspeakable(), Failed(ErrorCode.MODEL_ERROR, "Unspeakable")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_becomes_an_outcome(error: BaseException, outcome: Failed) -> None:
    assert failure_of(error, SimpleNamespace(OutOfMemoryError=MemoryError, AcceleratorError=MemoryError)).outcome() == (
        outcome
    )


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\0b", "ab"),
        ("half a pair: \ud800", "half a pair: ?"),
        ("x" * MESSAGE_LIMIT, "x" * MESSAGE_LIMIT),
        ("x" * (MESSAGE_LIMIT + 1), "x" * (MESSAGE_LIMIT - 1) + "…"),
        ("x" * 10_000_000, "x" * (MESSAGE_LIMIT - 1) + "…"),
    ],
    ids=["NUL", "surrogate", "at the limit", "over it", "far over it"],
)
def test_a_message_is_fit_for_a_row(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert len(told(ValueError(text))) <= MESSAGE_LIMIT


class Inner(BaseModel):
    odd: int = Field(alias="a/b~c")


class Outer(BaseModel):
    inner: list[Inner]
    need: str = ""


def _refusal(document: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(document)
    return invalid_input(caught.value).message


def test_an_invalid_input_names_its_places_by_json_pointer() -> None:
    text = _refusal({"inner": [{"a/b~c": 1}, {"a/b~c": "one"}], "need": 3})
    assert text == (
        "/inner/1/a~1b~0c: Input should be a valid integer, unable to parse string as an integer"
        "; /need: Input should be a valid string"
    )


def test_the_document_as_a_whole_has_no_pointer() -> None:
    assert _refusal([]).startswith("Input should be")


def test_of_many_faults_ten_are_named() -> None:
    text = _refusal({"inner": [{}] * 12})
    assert text.count("Field required") == 10
    assert text.endswith("; and 2 more")
