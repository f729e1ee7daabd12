"""`zero-shot-text`: which of the labels that the user typed fits a text best."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, field_validator

from ml_service.model import Batching, LoadContext, Model, Payload, Run
from ml_service.models.encoder import DIMENSIONS, Encoder
from ml_service.models.text import Text

# A bare label is a poor sentence; the encoder has learned from whole ones.
PROMPT = "This text is about {}."

# Divides the similarities before the softmax. Those of a text to fitting and unfitting labels lie some 0.1 to 0.3 apart;
# at 0.05 a lead of 0.1 makes a label 7 times as likely as the next. It sets how sure the scores look, never their order.
TEMPERATURE = 0.05

Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S", title="Label")]


class ZeroShotText(Model):
    name = "zero-shot-text"
    description = (
        "Scores a text against labels of your own by likeness of meaning (all-MiniLM-L6-v2); no training needed."
    )
    example: ClassVar = {
        "text": "The striker scored twice in the last ten minutes.",
        "labels": ["sport", "politics", "cooking", "technology"],
    }
    # At most 16 x 51 sentences, mostly very short ones: seconds on a CPU, so that nobody waits long for the others.
    batching = Batching(max_size=16, max_wait=0.02)

    class Input(Payload):
        text: Text = Field(min_length=1)
        labels: list[Label] = Field(
            min_length=2,
            max_length=50,
            title="Labels",
            description='2 to 50 different ones. Each is put into the sentence "This text is about ….".',
            json_schema_extra={"uniqueItems": True},
        )

        @field_validator("labels")
        @classmethod
        def _distinct(cls, labels: list[str]) -> list[str]:
            if len(set(labels)) < len(labels):
                raise ValueError("the labels must differ from each other")
            return labels

    class Score(Payload):
        label: str = Field(title="Label")
        score: float = Field(ge=0, le=1, title="Score")

    class Output(Payload):
        label: str = Field(title="Label", description="The one that fits best.")
        scores: list["ZeroShotText.Score"] = Field(
            title="Scores", description="One for each label, best first. They sum to 1."
        )

    def load(self, context: LoadContext) -> None:
        self._encoder = Encoder(context.device)

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        # A sentence that several items share, as labels often are, is encoded once.
        places = {sentence: place for place, sentence in enumerate(dict.fromkeys(_sentences(batch)))}
        vectors = np.zeros((len(places), DIMENSIONS))
        for chunk, encoded in self._encoder.encode(list(places)):
            vectors[chunk] = encoded.numpy()
            run.check_cancelled()
        return [self._output(item, vectors[[places[sentence] for sentence in _sentences([item])]]) for item in batch]

    def _output(self, item: Input, vectors: np.ndarray) -> Output:
        """vectors: [1 + labels, 384], the text's own first."""
        scores = _softmax(vectors[1:] @ vectors[0] / TEMPERATURE).tolist()
        ranked = sorted(zip(item.labels, scores, strict=True), key=lambda pair: -pair[1])
        return self.Output(
            label=ranked[0][0], scores=[ZeroShotText.Score(label=label, score=score) for label, score in ranked]
        )


def _sentences(batch: Sequence[ZeroShotText.Input]) -> Iterator[str]:
    for item in batch:
        yield item.text
        yield from (PROMPT.format(label) for label in item.labels)


def _softmax(values: np.ndarray) -> np.ndarray:
    exponentials = np.exp(values - values.max())
    shares: np.ndarray = exponentials / exponentials.sum()
    return shares
