import json

import numpy as np
import pytest
from pydantic import ValidationError
from sentence_transformers import SentenceTransformer

from ml_service.models.encoder import CHUNK_ON_CPU
from ml_service.models.text import LONGEST_TEXT
from ml_service.models.text_embedding import TextEmbedding
from shared.errors import Cancelled
from tests.unit.ml_service.models.recorded_run import RecordedRun

TEXTS = [
    "A cat sleeps on the sofa.",
    "",
    "Größe, 東京, naïve, and an emoji 🙂",
    "word " * 400,  # past the 256 word pieces that are read
    "Rates rose again.",
    "supercalifragilisticexpialidocious " * 5,
]


def inputs(*jobs: list[str]) -> list[TextEmbedding.Input]:
    return [TextEmbedding.Input(texts=texts) for texts in jobs]


def test_the_vectors_are_those_of_the_model_called_directly(
    text_embedding: TextEmbedding, reference: SentenceTransformer
) -> None:
    (output,) = text_embedding.predict(inputs(TEXTS), RecordedRun())
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(output.embeddings, expected, atol=1e-5)


def test_jobs_that_share_a_batch_get_their_own_vectors_back(
    text_embedding: TextEmbedding, reference: SentenceTransformer
) -> None:
    many = [f"{'very ' * (number % 9)}long sentence number {number}" for number in range(CHUNK_ON_CPU + 5)]
    jobs = [TEXTS[:3], many, ["one"]]
    outputs = text_embedding.predict(inputs(*jobs), RecordedRun(items=3))
    for texts, output in zip(jobs, outputs, strict=True):
        np.testing.assert_allclose(output.embeddings, reference.encode(texts, normalize_embeddings=True), atol=1e-5)


def test_vectors_are_384_plain_floats_of_length_one(text_embedding: TextEmbedding) -> None:
    (output,) = text_embedding.predict(inputs(TEXTS), RecordedRun())
    assert {len(vector) for vector in output.embeddings} == {384}
    assert {type(number) for vector in output.embeddings for number in vector} == {float}
    np.testing.assert_allclose(np.linalg.norm(output.embeddings, axis=1), 1, atol=1e-6)


def test_the_json_has_no_more_digits_than_the_numbers(text_embedding: TextEmbedding) -> None:
    (output,) = text_embedding.predict(inputs(["a text"]), RecordedRun())
    numbers = json.loads(output.model_dump_json())["embeddings"][0]
    assert max(len(f"{abs(number):.12f}".rstrip("0")) for number in numbers) <= len("0.1234567")


def test_each_job_hears_how_far_it_is(text_embedding: TextEmbedding) -> None:
    run = RecordedRun(items=2)
    text_embedding.predict(inputs(["a b c d"] * 2 * CHUNK_ON_CPU, ["a"]), run)
    assert run.fractions(0) == [0.5, 1.0]
    assert run.fractions(1) == [1.0]


def test_a_cancelled_batch_stops_at_the_next_chunk(text_embedding: TextEmbedding) -> None:
    run = RecordedRun(after_progress=lambda run: run.stopped.add(0))
    with pytest.raises(Cancelled):
        text_embedding.predict(inputs(["text"] * 5 * CHUNK_ON_CPU), run)
    assert run.fractions(0) == [0.2]


def test_a_cancelled_job_leaves_its_neighbour_the_time(text_embedding: TextEmbedding) -> None:
    run = RecordedRun(items=2, after_progress=lambda run: run.stopped.add(0))
    outputs = text_embedding.predict(inputs(["a longer text"] * 5 * CHUNK_ON_CPU, ["short", "x"]), run)
    assert run.fractions(0) == [0.2]
    assert run.fractions(1) == [1.0]
    assert len(outputs[1].embeddings) == 2


@pytest.mark.parametrize("texts", [[], ["x"] * 10_001, ["x" * (LONGEST_TEXT + 1)], [1]])
def test_too_few_too_many_too_long_or_no_texts_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValidationError):
        TextEmbedding.Input(texts=texts)
