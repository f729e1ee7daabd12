"""`digits` as a model: pictures or pixels in, a digit and ten probabilities out."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from ml_service.choice import OneOf
from ml_service.file import File
from ml_service.model import Batching, LoadContext, Model, Payload, Run
from ml_service.models.digits.classifier import Classifier
from ml_service.models.digits.image import Blocks, blocks_of
from ml_service.models.digits.version import VERSION
from shared.errors import InvalidInput

Ink = Annotated[float, Field(ge=0, le=16)]
Row = Annotated[list[Ink], Field(min_length=8, max_length=8)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Digits(Model):
    name = "digits"
    version = VERSION
    description = "Reads one handwritten digit from a picture; a small network trained on scikit-learn's digits."
    example: ClassVar = {
        "pixels": [
            [0, 0, 0, 12, 13, 0, 0, 0],
            [0, 0, 5, 16, 8, 0, 0, 0],
            [0, 0, 13, 16, 3, 0, 0, 0],
            [0, 0, 14, 13, 0, 0, 0, 0],
            [0, 0, 15, 12, 7, 2, 0, 0],
            [0, 0, 13, 16, 13, 16, 3, 0],
            [0, 0, 7, 16, 11, 15, 8, 0],
            [0, 0, 1, 9, 15, 11, 3, 0],
        ]
    }
    # The network takes 64 as fast as one; reading a picture takes some milliseconds, a photograph a few hundred.
    batching = Batching(max_size=64, max_wait=0.02)

    class Input(OneOf):
        image: File | SkipJsonSchema[None] = Field(
            default=None,
            title="Image",
            description="A PNG, JPEG, WebP, BMP or GIF of any size, dark on light or light on dark, with one digit on it.",
        )
        pixels: Annotated[list[Row], Field(min_length=8, max_length=8)] | SkipJsonSchema[None] = Field(
            default=None,
            title="Pixels",
            description="Instead of an image: 8 rows of 8 numbers, 0 for paper to 16 for ink.",
        )

    class Output(Payload):
        digit: int = Field(ge=0, le=9, title="Digit", description="The likeliest one.")
        probabilities: list[Probability] = Field(
            min_length=10, max_length=10, title="Probabilities", description="Of the digits 0 to 9; they sum to 1."
        )

    def load(self, context: LoadContext) -> None:
        self._classifier = Classifier(context.files, context.device)

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        probabilities = self._classifier.probabilities(np.stack([_blocks(item, run) for item in batch]))
        return [self.Output(digit=int(np.argmax(row)), probabilities=row) for row in probabilities]


def _blocks(item: Digits.Input, run: Run) -> Blocks:
    run.check_cancelled()
    if item.image is not None:
        return blocks_of(item.image.read())
    pixels = np.array(item.pixels, dtype=np.float32)
    if not pixels.any():
        raise InvalidInput("pixels: nothing is drawn on them")
    return pixels
