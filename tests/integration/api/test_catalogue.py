"""Models, workers and health."""

import httpx

from shared.catalogue import ModelState, ServedModel
from shared.database.pool import Database
from tests.integration.api.worker import HandWorker


async def test_models_are_listed_by_name_with_all_that_a_form_needs(any_client: httpx.AsyncClient) -> None:
    models = (await any_client.get("/v1/models")).json()["models"]

    assert [model["name"] for model in models] == ["anything", "pictures", "reverse"]
    reverse = models[2]
    assert reverse["versions"] == [
        {"version": 1, "state": "offline", "default": True, "metrics": None, "live_workers": 0, "error": None}
    ]
    assert reverse["input_schema"]["required"] == ["text"]
    assert (reverse["example"], reverse["tasks"], reverse["queue"]) == ({"text": "abc"}, ["inference"], "reverse")
    assert (await any_client.get("/v1/models/reverse")).json() == reverse


async def test_a_model_that_there_is_not_is_404(any_client: httpx.AsyncClient) -> None:
    answer = await any_client.get("/v1/models/nope")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
    assert "reverse" in answer.json()["detail"]


async def test_workers_show_what_they_serve(client: httpx.AsyncClient, db: Database) -> None:
    await HandWorker(db).join(
        ServedModel("reverse", 1, ModelState.READY), ServedModel("anything", 2, ModelState.FAILED, "no weights")
    )

    (worker,) = (await client.get("/v1/workers")).json()["workers"]
    model = (await client.get("/v1/models/anything")).json()

    assert (worker["name"], worker["alive"]) == ("by hand", True)
    assert worker["models"][1] == {"name": "anything", "version": 2, "state": "failed", "error": "no weights"}
    assert (model["versions"][0]["state"], model["versions"][0]["error"]) == ("failed", "no weights")


async def test_a_model_that_failed_to_load_degrades(client: httpx.AsyncClient, db: Database) -> None:
    before = await client.get("/readyz")
    await HandWorker(db).join(ServedModel("reverse", 1, ModelState.FAILED, "no weights"))
    after = await client.get("/readyz")
    while after.json()["status"] == "ok":  # the list of models may be a little old
        after = await client.get("/readyz")

    assert (before.status_code, before.json()["status"]) == (200, "ok")
    assert before.json()["checks"]["database"] == "ok"
    assert (after.status_code, after.json()["status"]) == (200, "degraded")
    assert after.json()["checks"]["models"]["reverse"] == {"state": "failed", "error": "no weights"}


async def test_it_is_alive(any_client: httpx.AsyncClient) -> None:
    answer = await any_client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
