"""GET /v1/jobs/{id}."""

import asyncio
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.conftest import Submit
from tests.integration.api.worker import HandWorker


async def test_a_job_is_told_in_full_whatever_its_state(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    url = job["urls"]["self"]

    queued = await client.get(url)
    attempt = await worker.begin(job["id"])
    await worker.report(job["id"], attempt, 0.5)
    running = await client.get(url, headers={"If-None-Match": queued.headers["etag"]})
    while running.status_code == 304:  # a notification may still be on its way
        running = await client.get(url, headers={"If-None-Match": queued.headers["etag"]})
    await worker.fail(job["id"], attempt)
    failed = await client.get(url, params={"wait": 5})

    assert (queued.json()["state"], queued.json()["queue_position"]) == ("queued", 1)
    assert (running.json()["state"], running.json()["attempt"]) == ("running", 1)
    assert (failed.json()["state"], failed.json()["error"]["code"]) == ("failed", "invalid_input")
    assert failed.json()["error"]["attempts"][0]["attempt"] == 1
    assert failed.json()["queue_position"] is None
    assert ["retry-after" in answer.headers for answer in (queued, running, failed)] == [True, True, False]
    for answer in (queued, running, failed):
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["vary"] == "Authorization, Prefer"


async def test_what_the_client_has_already_is_304(client: httpx.AsyncClient, submit: Submit) -> None:
    url = (await submit())["urls"]["self"]
    tag = (await client.get(url)).headers["etag"]
    with_input = (await client.get(url, params={"include": "input"})).headers["etag"]

    assert tag.startswith('W/"')
    assert tag != with_input
    for known in (tag, tag.removeprefix("W/"), "*", f'"other", {tag}'):
        answer = await client.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["vary"] == "Authorization, Prefer"
        assert int(answer.headers["retry-after"]) >= 1
    for known in ('"other"', with_input, "nonsense"):
        assert (await client.get(url, headers={"If-None-Match": known})).status_code == 200
    same = await client.get(url, params={"include": "input"}, headers={"If-None-Match": with_input})
    assert same.status_code == 304


async def test_the_input_comes_only_when_asked_for(client: httpx.AsyncClient, submit: Submit) -> None:
    url = (await submit())["urls"]["self"]

    assert "input" not in (await client.get(url)).json()
    assert (await client.get(url, params={"include": "input"})).json()["input"] == {"text": "abc"}
    refused = await client.get(url, params={"include": "everything"})
    assert (refused.status_code, refused.json()["errors"][0]["path"]) == (422, "/query/include")


@pytest.mark.parametrize("job_id", ["nonsense", "0199a8c0-0000-7000-8000-000000000001", "%00", "..%2f"])
async def test_a_job_that_there_is_not_is_404(any_client: httpx.AsyncClient, job_id: str) -> None:
    answer = await any_client.get(f"/v1/jobs/{job_id}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("wait", ["0", "61", "x", "", "-1", "1.5", "9" * 5000])
async def test_a_wait_beyond_the_limits_does_not_fit(any_client: httpx.AsyncClient, wait: str) -> None:
    answer = await any_client.get(f"/v1/jobs/{uuid4()}", params={"wait": wait})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == "/query/wait"


async def test_waiting_ends_when_the_job_has_finished(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    waiting = asyncio.create_task(client.get(job["urls"]["self"], params={"wait": 30}))
    attempt = await worker.begin(job["id"])
    await worker.report(job["id"], attempt, 0.5)
    await worker.succeed(job["id"], attempt, '{"text": "cba"}')

    answer = await waiting

    assert answer.json()["state"] == "succeeded"
    assert "preference-applied" not in answer.headers


async def test_waiting_with_an_etag_ends_with_any_news(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    tag = (await client.get(job["urls"]["self"])).headers["etag"]
    headers = {"If-None-Match": tag, "Prefer": 'wait="30"'}
    waiting = asyncio.create_task(client.get(job["urls"]["self"], headers=headers))
    await worker.begin(job["id"])

    answer = await waiting

    assert (answer.status_code, answer.json()["state"]) == (200, "running")
    assert answer.headers["preference-applied"] == "wait=30"


async def test_waiting_in_vain_ends_as_it_is_or_304(client: httpx.AsyncClient, submit: Submit) -> None:
    url = (await submit())["urls"]["self"]

    as_it_is = await client.get(url, params={"wait": 1})
    unchanged = await client.get(url, params={"wait": 1}, headers={"If-None-Match": as_it_is.headers["etag"]})

    assert (as_it_is.status_code, as_it_is.json()["state"]) == (200, "queued")
    assert unchanged.status_code == 304


async def test_a_finished_job_is_answered_without_waiting(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    await worker.succeed(job["id"], await worker.begin(job["id"]), "1")
    url = job["urls"]["self"]

    async with asyncio.timeout(10):
        answer = await client.get(url, params={"wait": 60})
        unchanged = await client.get(url, params={"wait": 60}, headers={"If-None-Match": answer.headers["etag"]})

    assert (answer.json()["state"], unchanged.status_code) == ("succeeded", 304)


@pytest.mark.parametrize(
    ("prefer", "applied"), [("wait=100000", "wait=60"), ("wait=0", "wait=0"), ("wait=soon", None), ("wait=-1", None)]
)
async def test_a_preference_is_clamped_or_ignored(
    client: httpx.AsyncClient, submit: Submit, prefer: str, applied: str | None
) -> None:
    """Never refused, as the parameter is."""
    job = await submit()
    await client.post(job["urls"]["cancel"])

    answer = await client.get(job["urls"]["self"], headers={"Prefer": prefer})

    assert (answer.status_code, answer.headers.get("preference-applied")) == (200, applied)


async def test_nobody_sees_a_job_go_backwards(client: httpx.AsyncClient, submit: Submit, worker: HandWorker) -> None:
    """Cancelling is answered with the new state; polls right after it must not tell the one before."""
    for _ in range(30):
        job = await submit()
        assert (await client.get(job["urls"]["self"])).json()["state"] == "queued"
        assert (await client.post(job["urls"]["cancel"])).json()["state"] == "cancelled"
        assert (await client.get(job["urls"]["self"])).json()["state"] == "cancelled"


async def test_places_in_the_queue(client: httpx.AsyncClient, submit: Submit) -> None:
    jobs = [await submit() for _ in range(3)]

    places = [(await client.get(job["urls"]["self"])).json()["queue_position"] for job in jobs]

    assert places == [1, 2, 3]


async def test_a_place_beyond_a_thousand_is_not_told(client: httpx.AsyncClient, submit: Submit) -> None:
    body = {"jobs": [{"model": "reverse", "input": {"text": ""}}] * 1000}
    last = (await client.post("/v1/jobs/batch", json=body)).json()["jobs"][-1]
    beyond = await submit()

    places = [(await client.get(job["urls"]["self"])).json()["queue_position"] for job in (last, beyond)]

    assert places == [1000, None]
