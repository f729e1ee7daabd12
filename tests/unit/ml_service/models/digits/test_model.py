from typing import Any

import jsonschema_rs
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ml_service.file import File
from ml_service.models.digits.model import Digits
from ml_service.models.digits.training import samples
from shared.errors import Cancelled, InvalidInput
from tests.unit.ml_service.models.digits.drawing import all_drawn, all_printed, encoded, file, printed
from tests.unit.ml_service.models.recorded_run import RecordedRun


def read(model: Digits, *inputs: Digits.Input) -> list[Digits.Output]:
    return model.predict(inputs, RecordedRun(items=len(inputs)))


def pixels() -> list[list[float]]:
    rows: list[list[float]] = (samples()[1].images[0, 0] * 16).tolist()
    return rows


def picture() -> File:
    """A 2, which any training reads: processors round otherwise, and the 7 of this font looks like a 3 after some."""
    return file(encoded(printed(2, 100, 80)))


def test_at_least_98_of_100_unseen_digits_are_read_right(digits: Digits) -> None:
    _, unseen = samples()
    inputs = [Digits.Input(pixels=(image[0] * 16).tolist()) for image in unseen.images]
    right = [output.digit == digit for output, digit in zip(read(digits, *inputs), unseen.digits.tolist(), strict=True)]
    assert np.mean(right) >= 0.98


def test_at_least_95_of_100_printed_digits_are_read_right_at_any_size_and_polarity(digits: Digits) -> None:
    cases = list(all_printed())
    outputs = read(digits, *(Digits.Input(image=file(encoded(image))) for _, image in cases))
    assert np.mean([output.digit == digit for (digit, _), output in zip(cases, outputs, strict=True)]) >= 0.95


def test_at_least_90_of_100_drawn_digits_are_read_right_at_any_size_pen_and_polarity(digits: Digits) -> None:
    cases = list(all_drawn())
    outputs = read(digits, *(Digits.Input(image=file(encoded(image))) for _, image in cases))
    assert np.mean([output.digit == digit for (digit, _), output in zip(cases, outputs, strict=True)]) >= 0.9


def test_the_example_is_a_six(digits: Digits) -> None:
    assert read(digits, Digits.Input.model_validate(Digits.example))[0].digit == 6


def test_the_probabilities_sum_to_one_and_the_likeliest_is_the_digit(digits: Digits) -> None:
    (output,) = read(digits, Digits.Input(pixels=pixels()))
    assert sum(output.probabilities) == pytest.approx(1)
    assert output.digit == int(np.argmax(output.probabilities))
    assert {type(probability) for probability in output.probabilities} == {float}


def test_the_probabilities_are_those_of_the_network_called_directly(digits: Digits) -> None:
    _, unseen = samples()
    with torch.inference_mode():
        expected = digits._classifier._model(unseen.images[:3]).softmax(dim=1).numpy()
    outputs = read(digits, *(Digits.Input(pixels=(image[0] * 16).tolist()) for image in unseen.images[:3]))
    np.testing.assert_allclose([output.probabilities for output in outputs], expected, atol=1e-5)


def test_pixels_and_pictures_share_a_batch(digits: Digits) -> None:
    together = read(digits, Digits.Input(pixels=pixels()), Digits.Input(image=picture()))
    alone = read(digits, Digits.Input(pixels=pixels()))
    assert together[0].probabilities == pytest.approx(
        alone[0].probabilities, abs=1e-6
    )  # of another size: other roundings
    assert together[1].digit == 2


def test_blank_pixels_are_an_invalid_input(digits: Digits) -> None:
    with pytest.raises(InvalidInput, match="nothing is drawn"):
        read(digits, Digits.Input(pixels=[[0] * 8] * 8))


def test_a_file_that_is_no_picture_is_an_invalid_input(digits: Digits) -> None:
    with pytest.raises(InvalidInput, match="not a readable"):
        read(digits, Digits.Input(image=file(b"hello", "text/plain")))


def test_a_cancelled_batch_stops(digits: Digits) -> None:
    with pytest.raises(Cancelled):
        digits.predict([Digits.Input(pixels=pixels())], RecordedRun(stopped={0}))


@pytest.mark.parametrize(
    "document", [{"pixels": pixels()}, {"image": picture().model_dump(exclude_none=True)}], ids=["pixels", "image"]
)
def test_either_form_fits_the_schema(document: dict[str, Any]) -> None:
    jsonschema_rs.validate(Digits.Input.model_json_schema(), document)
    Digits.Input.model_validate(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"pixels": pixels(), "image": picture().model_dump()},
        {"pixels": pixels()[:7]},
        {"pixels": [row[:7] for row in pixels()]},
        {"pixels": [[17] * 8] * 8},
        {"pixels": [[-1] * 8] * 8},
        {"pixels": [["x"] * 8] * 8},
        {"image": {"data": "https://example.com/7.png"}},
        {"image": {}},
        {"pixels": pixels(), "colour": "red"},
    ],
    ids=[
        "neither",
        "both",
        "7 rows",
        "7 columns",
        "above 16",
        "below 0",
        "no number",
        "no data URL",
        "no data",
        "more",
    ],
)
def test_anything_else_is_refused_by_class_and_schema(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Digits.Input.model_validate(document)
    assert not jsonschema_rs.is_valid(Digits.Input.model_json_schema(), document)
