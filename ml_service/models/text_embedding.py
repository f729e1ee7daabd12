"""`text-embedding`: sentence vectors from all-MiniLM-L6-v2."""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from ml_service.model import Batching, Defaults, LoadContext, Model, Payload, Run
from ml_service.models.encoder import DIMENSIONS, Encoder
from ml_service.models.text import Text


class TextEmbedding(Model):
    name = "text-embedding"
    description = (
        "Turns each text into 384 numbers, so that texts of like meaning lie close together (all-MiniLM-L6-v2)."
    )
    example: ClassVar = {"texts": ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Rates rose again."]}
    # Jobs of a few texts share a forward pass; but a batch ends for all of its jobs together, and eight of 10,000 long
    # texts already take 80 minutes on two cores.
    batching = Batching(max_size=8, max_wait=0.02)
    defaults = Defaults(execution_timeout=7200)

    class Input(Payload):
        texts: list[Text] = Field(
            min_length=1,
            max_length=10_000,
            title="Texts",
            description="1 to 10,000 texts. Two cores encode about 200 sentences a second.",
        )

    class Output(Payload):
        embeddings: list[list[float]] = Field(
            title="Embeddings", description="384 numbers for each text, in the order of the texts, of length 1."
        )

    def load(self, context: LoadContext) -> None:
        self._encoder = Encoder(context.device)

    def predict(self, batch: Sequence[Input], run: Run) -> list[Output]:
        texts = [text for item in batch for text in item.texts]
        owners = [index for index, item in enumerate(batch) for _ in item.texts]
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        done: Counter[int] = Counter()
        for places, chunk in self._encoder.encode(texts, lambda place: not run.cancelled(owners[place])):
            vectors[places] = chunk.numpy()
            grown = Counter(owners[place] for place in places)
            done += grown
            for index in grown:
                total = len(batch[index].texts)
                run.progress(done[index] / total, f"{done[index]:,} of {total:,} texts", item=index)
            run.check_cancelled()
        return self._split(vectors, batch, run)

    def _split(self, vectors: np.ndarray, batch: Sequence[Input], run: Run) -> list[Output]:
        ends = np.cumsum([len(item.texts) for item in batch])
        return [
            # Nobody reads a cancelled job's output.
            self.Output(embeddings=[] if run.cancelled(index) else _numbers(part))
            for index, part in enumerate(np.split(vectors, ends[:-1]))
        ]


def _numbers(vectors: np.ndarray) -> list[list[float]]:
    """Seven decimals are what a float32 below 1 holds: more would double the size of the JSON and say nothing.

    All at once in numpy: 10,000 vectors take 0.9 s here, and pydantic's check of them 0.2 s, of a job of a minute.
    """
    rounded: list[list[float]] = np.round(vectors.astype(np.float64), 7).tolist()
    return rounded
