"""What may leave a model."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from ml_service.child.outputs import BadOutput, counted, dumped
from ml_service.model import Payload

NAN, INFINITY = float("nan"), float("inf")


class Plain(BaseModel):
    """Not a Payload: pydantic writes its NaN as null."""

    score: float | None = None
    anything: Any = None


class Result(Payload):
    text: str = ""
    scores: tuple[float, ...] = ()
    anything: Any = None
    plain: Plain = Plain()


@pytest.mark.parametrize("outputs", [[1, 2], (1, 2)])
def test_a_sequence_of_the_right_length_is_taken(outputs: Any) -> None:
    assert counted(outputs, 2) is outputs


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ([1], "returned 1 outputs for 2 inputs"),
        ([1, 2, 3], "returned 3 outputs for 2 inputs"),
        (None, "returned NoneType"),
        ("ab", "returned str"),
        ({"a": 1, "b": 2}, "returned dict"),
        ((value for value in "ab"), "returned generator"),
    ],
    ids=["few", "many", "None", "str", "dict", "generator"],
)
def test_anything_else_is_not(outputs: Any, text: str) -> None:
    with pytest.raises(BadOutput, match=text):
        counted(outputs, 2)


def test_a_good_output_is_its_json() -> None:
    result = Result(text="NaN and Infinity, null", scores=(1.5,), anything={"a": [None, True, "x"]})
    assert json.loads(dumped(result, Result)) == result.model_dump(mode="json")


@pytest.mark.parametrize(
    "result",
    [
        Result.model_construct(scores=(1.0, NAN)),
        Result(anything=[{"deep": (1.0, INFINITY)}]),
        Result(anything=-INFINITY),
        Result(plain=Plain(score=NAN)),
        Result(plain=Plain(anything=[NAN])),
    ],
    ids=["typed", "deep", "negative", "a model without the Payload's settings", "there in Any"],
)
def test_nan_and_infinity_never_leave(result: Result) -> None:
    with pytest.raises(BadOutput, match="NaN or infinity"):
        dumped(result, Result)


@pytest.mark.parametrize("output", [None, {"text": "a"}, "a", Plain()], ids=lambda value: type(value).__name__)
def test_another_type_is_refused(output: Any) -> None:
    with pytest.raises(BadOutput, match="where Result is wanted"):
        dumped(output, Result)


UNVALIDATED: list[dict[str, Any]] = [{"text": 3}, {"scores": ("a",)}, {"anything": object()}]


@pytest.mark.parametrize("values", UNVALIDATED, ids=["text", "scores", "anything"])
def test_values_that_got_around_validation_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Unexpected|serialize"):
        dumped(Result.model_construct(**values), Result)


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        dumped(Result(anything="\ud800"), Result)


def test_what_is_larger_than_a_result_may_be_is_refused_with_both_numbers() -> None:
    result = Result(text="x" * 1000)
    size = len(dumped(result, Result))
    assert len(dumped(result, Result, limit=size)) == size
    with pytest.raises(BadOutput, match=rf"has {size} bytes, and may have {size - 1} \(RESULT_LIMIT\)"):
        dumped(result, Result, limit=size - 1)
