"""POST /v1/jobs/batch."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from api_service.settings import ApiSettings
from shared.database.pool import Database
from tests.integration.api.conftest import serving
from tests.integration.api.worker import HandWorker

Json = dict[str, Any]


def job(**fields: Any) -> Json:
    return {"model": "reverse", "input": {"text": "abc"}, **fields}


async def post(client: httpx.AsyncClient, jobs: Any, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/v1/jobs/batch", json={"jobs": jobs}, headers=named)


async def refused(client: httpx.AsyncClient, jobs: Any, status: int) -> Json:
    answer = await post(client, jobs)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Json = answer.json()
    return problem


async def ids_of(client: httpx.AsyncClient, **parameters: Any) -> list[str]:
    page = await client.get("/v1/jobs", params={"limit": 200, **parameters})
    return [job["id"] for job in page.json()["jobs"]]


async def test_a_batch_is_stored_in_order(client: httpx.AsyncClient) -> None:
    answer = await post(client, [job(metadata={"number": number}) for number in range(50)])

    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert [one["state"] for one in batch["jobs"]] == ["queued"] * 50
    assert batch["jobs"][7].keys() == {"id", "state", "urls"}
    seventh = (await client.get(batch["jobs"][7]["urls"]["self"])).json()
    assert (seventh["metadata"], seventh["batch_id"]) == ({"number": 7}, batch["batch_id"])
    assert await ids_of(client, batch_id=batch["batch_id"]) == [one["id"] for one in batch["jobs"]][::-1]


async def test_a_thousand_are_taken_and_no_more(client: httpx.AsyncClient) -> None:
    answer = await post(client, [job()] * 1000)
    assert answer.status_code == 202
    assert len(answer.json()["jobs"]) == len({one["id"] for one in answer.json()["jobs"]}) == 1000

    others: list[Any] = [[], [job()] * 1001, None, {}]
    for jobs in others:
        problem = await refused(client, jobs, 422)
        assert [fault["path"] for fault in problem["errors"]] == ["/jobs"]


async def test_each_job_of_a_batch_lives_by_itself(client: httpx.AsyncClient, worker: HandWorker) -> None:
    first, second = (await post(client, [job(), job()])).json()["jobs"]
    await worker.succeed(first["id"], await worker.begin(first["id"]), '{"text": "cba"}')
    await client.post(second["urls"]["cancel"])

    states = [(await client.get(one["urls"]["self"])).json()["state"] for one in (first, second)]

    assert states == ["succeeded", "cancelled"]


async def test_all_faults_of_several_jobs_are_told_and_nothing_is_stored(client: httpx.AsyncClient) -> None:
    jobs = [job() for _ in range(20)]
    jobs[3] = job(input={"text": 1, "numbers": ["x"]})
    jobs[5] = job(model="nope")
    jobs[7] = job(version=99)
    jobs[11] = job(queue_ttl=-1, colour="red")
    jobs[13] = 1  # type: ignore[call-overload]
    jobs[17] = job(webhook={"url": "nowhere"})

    problem = await refused(client, jobs, 422)

    assert problem["detail"].startswith("6 of 20 jobs")
    assert {fault["path"] for fault in problem["errors"]} == {
        *("/jobs/3/input/text", "/jobs/3/input/numbers/0", "/jobs/5/model", "/jobs/7/model"),
        *("/jobs/11/queue_ttl", "/jobs/11/colour", "/jobs/13", "/jobs/17/webhook/url"),
    }
    assert await ids_of(client) == []


async def test_many_faults_are_counted_and_some_are_told(any_client: httpx.AsyncClient) -> None:
    wrong = job(input={"text": "", "numbers": ["x"] * 50})

    problem = await refused(any_client, [wrong] * 300, 422)

    assert problem["detail"].startswith("300 of 300 jobs")
    assert len(problem["errors"]) == 100
    assert {fault["path"].split("/")[2] for fault in problem["errors"]} == {str(number) for number in range(20)}


async def test_too_large_an_input_is_named(any_client: httpx.AsyncClient) -> None:
    for size in (1_050_000, 1_500_000):
        problem = await refused(any_client, [job(), job(input={"text": "x" * size})], 413)
        assert "/jobs/1:" in problem["detail"]
    problem = await refused(any_client, [job(metadata={"a": "x" * 20_000})], 413)
    assert "/jobs/0:" in problem["detail"]


async def test_a_body_beyond_the_limit_is_refused_while_it_is_read(any_client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2000):
            yield b" " * 10_000

    answer = await any_client.post("/v1/jobs/batch", content=endless())

    assert answer.status_code == 413
    assert "16777216" in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"jobs": [{"model": "anything", "input": "\xff"}]}', b"[" * 100_000])
async def test_what_is_not_json_is_refused(any_client: httpx.AsyncClient, body: bytes) -> None:
    for headers in ({}, {"Idempotency-Key": "not json"}):
        answer = await any_client.post("/v1/jobs/batch", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")


async def test_only_json_is_taken(any_client: httpx.AsyncClient) -> None:
    answer = await any_client.post("/v1/jobs/batch", content=b"{}", headers={"content-type": "text/plain"})

    assert answer.status_code == 415


async def test_sixteen_mebibytes_are_taken(client: httpx.AsyncClient) -> None:
    jobs = [job(input={"text": "", "numbers": list(range(1000, 4000))}) for _ in range(900)]
    content = json.dumps({"jobs": jobs}).encode()
    assert 15_000_000 < len(content) < 16 * 1024 * 1024

    answer = await client.post("/v1/jobs/batch", content=content, headers={"Idempotency-Key": "large"}, timeout=60)

    assert answer.status_code == 202


async def test_a_batch_that_comes_again_is_the_first(client: httpx.AsyncClient, worker: HandWorker) -> None:
    jobs = [job(metadata={"number": number}) for number in range(5)]
    first = await post(client, jobs, idempotency_key="abc")
    ids = [one["id"] for one in first.json()["jobs"]]
    await worker.begin(ids[2])

    again = await post(client, jobs, idempotency_key='"abc"')

    assert again.status_code == 202
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.json()["batch_id"] == first.json()["batch_id"]
    assert [one["id"] for one in again.json()["jobs"]] == ids
    assert [one["state"] for one in again.json()["jobs"]] == ["queued", "queued", "running", "queued", "queued"]
    assert len(await ids_of(client)) == 5


async def test_a_batch_that_comes_again_says_what_there_still_is_of_it(client: httpx.AsyncClient) -> None:
    jobs = [job(), job(), job()]
    ids = [one["id"] for one in (await post(client, jobs, idempotency_key="abc")).json()["jobs"]]
    await client.post(f"/v1/jobs/{ids[1]}/cancel")
    await client.delete(f"/v1/jobs/{ids[1]}")

    again = await post(client, jobs, idempotency_key="abc")

    assert [one["id"] for one in again.json()["jobs"]] == [ids[0], ids[2]]


async def test_another_batch_with_the_key_is_refused(client: httpx.AsyncClient) -> None:
    await post(client, [job(), job()], idempotency_key="abc")

    for jobs in ([job()], [job(), job(metadata={})], [job(), job(), {"x": 1}]):
        answer = await post(client, jobs, idempotency_key="abc")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_key_is_known_by_its_route(client: httpx.AsyncClient) -> None:
    await post(client, [job()], idempotency_key="abc")

    single = await client.post("/v1/jobs", json=job(), headers={"Idempotency-Key": "abc"})

    assert single.status_code == 202
    assert "idempotent-replayed" not in single.headers


async def test_the_same_batch_many_times_at_once_is_stored_once(
    client: httpx.AsyncClient, database_url: str, db: Database, settings: ApiSettings
) -> None:
    """Through two APIs: whoever is faster stores all of it, the other nothing."""
    async with serving(database_url, settings) as one, httpx.AsyncClient(base_url=one.url, timeout=20) as other:
        jobs = [job() for _ in range(40)]
        answers = await asyncio.gather(*(post(api, jobs, idempotency_key="abc") for api in (client, other) * 10))

    batches = {UUID(answer.json()["batch_id"]) for answer in answers if answer.status_code == 202}
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len(batches) == 1
    assert len(await ids_of(client)) == 40


async def test_a_webhook_is_kept_with_its_job(client: httpx.AsyncClient, db: Database) -> None:
    hook = {"url": "https://example.com/hook", "events": ["job.failed"]}
    single = await client.post("/v1/jobs", json=job(webhook=hook))
    batch = await post(client, [job(webhook={"url": hook["url"]}), job()])

    assert (single.status_code, batch.status_code) == (202, 202), (single.text, batch.text)


@pytest.mark.parametrize(
    ("webhook", "path"),
    [
        ("https://example.com", "/webhook"),
        ({}, "/webhook"),
        ({"url": 1}, "/webhook/url"),
        ({"url": "example.com"}, "/webhook/url"),
        ({"url": "https://example.com/" + "x" * 2048}, "/webhook/url"),
        ({"url": "https://example.com", "events": []}, "/webhook/events"),
        ({"url": "https://example.com", "events": ["job.queued"]}, "/webhook/events/0"),
        ({"url": "https://example.com", "events": ["job.failed", "job.failed"]}, "/webhook/events"),
        ({"url": "https://example.com", "secret": "x"}, "/webhook"),
    ],
)
async def test_a_webhook_that_does_not_fit_is_refused(any_client: httpx.AsyncClient, webhook: Any, path: str) -> None:
    answer = await any_client.post("/v1/jobs", json=job(webhook=webhook))

    assert answer.status_code == 422, answer.text
    assert [fault["path"] for fault in answer.json()["errors"]] == [path]
