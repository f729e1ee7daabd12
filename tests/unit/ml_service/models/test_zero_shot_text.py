import jsonschema_rs
import numpy as np
import pytest
from pydantic import ValidationError
from sentence_transformers import SentenceTransformer

from ml_service.models.zero_shot_text import PROMPT, TEMPERATURE, ZeroShotText
from shared.errors import Cancelled
from tests.unit.ml_service.models.recorded_run import RecordedRun

LABELS = ["cooking", "sport", "politics", "technology"]


def classified(model: ZeroShotText, *texts: str, labels: list[str] | None = None) -> list[ZeroShotText.Output]:
    batch = [ZeroShotText.Input(text=text, labels=labels or LABELS) for text in texts]
    return model.predict(batch, RecordedRun(items=len(batch)))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The striker scored twice in the last ten minutes.", "sport"),
        ("Fold the egg whites into the batter and bake for half an hour.", "cooking"),
        ("The minister resigned after losing the vote in parliament.", "politics"),
        ("The new laptop has a faster processor and more memory.", "technology"),
    ],
)
def test_a_text_gets_the_label_that_a_reader_would_give(zero_shot_text: ZeroShotText, text: str, label: str) -> None:
    assert classified(zero_shot_text, text)[0].label == label


def test_scores_are_the_softmax_of_the_similarities(
    zero_shot_text: ZeroShotText, reference: SentenceTransformer
) -> None:
    text = "A recipe for a goulash."
    (output,) = classified(zero_shot_text, text)
    vectors = reference.encode([text, *map(PROMPT.format, LABELS)], normalize_embeddings=True).astype(float)
    weights = np.exp(vectors[1:] @ vectors[0] / TEMPERATURE)
    expected = dict(zip(LABELS, weights / weights.sum(), strict=True))
    assert {score.label: score.score for score in output.scores} == pytest.approx(expected, abs=1e-5)


def test_scores_sum_to_one_best_first(zero_shot_text: ZeroShotText) -> None:
    (output,) = classified(zero_shot_text, "Anything at all.", labels=[f"thing {number}" for number in range(50)])
    scores = [score.score for score in output.scores]
    assert sum(scores) == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert output.label == output.scores[0].label


def test_items_of_a_batch_do_not_mix(zero_shot_text: ZeroShotText) -> None:
    texts = ["The goalkeeper was sent off.", "Stir the soup.", "The goalkeeper was sent off."]
    together = classified(zero_shot_text, *texts)
    alone = [classified(zero_shot_text, text)[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert one.label == other.label
        assert one.scores[0].score == pytest.approx(other.scores[0].score, abs=1e-5)


def test_braces_in_a_label_are_just_characters(zero_shot_text: ZeroShotText) -> None:
    (output,) = classified(zero_shot_text, "text", labels=["{0}", "{}", "%s"])
    assert {score.label for score in output.scores} == {"{0}", "{}", "%s"}


def test_a_cancelled_batch_stops(zero_shot_text: ZeroShotText) -> None:
    with pytest.raises(Cancelled):
        zero_shot_text.predict([ZeroShotText.Input(text="x", labels=LABELS)], RecordedRun(stopped={0}))


@pytest.mark.parametrize(
    "labels", [["only one"], ["twice", "twice"], ["", "a"], [" \t", "a"], [str(n) for n in range(51)], ["x" * 201, "a"]]
)
def test_unfit_labels_are_refused_by_class_and_schema(labels: list[str]) -> None:
    document = {"text": "x", "labels": labels}
    with pytest.raises(ValidationError):
        ZeroShotText.Input.model_validate(document)
    assert not jsonschema_rs.is_valid(ZeroShotText.Input.model_json_schema(), document)
