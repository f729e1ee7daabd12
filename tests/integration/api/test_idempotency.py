"""Submissions that come again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api_service.settings import ApiSettings
from shared.database.pool import Database
from tests.integration.api.conftest import serving
from tests.integration.api.worker import HandWorker

BODY: dict[str, Any] = {"model": "reverse", "input": {"text": "abc"}, "metadata": {"order": 4711}}


async def post(client: httpx.AsyncClient, key: str, body: dict[str, Any] = BODY, **headers: str) -> httpx.Response:
    return await client.post("/v1/jobs", json=body, headers={"Idempotency-Key": key, **headers})


async def how_many(client: httpx.AsyncClient) -> int:
    return len((await client.get("/v1/jobs", params={"limit": 200})).json()["jobs"])


@pytest.fixture
async def other(database_url: str, db: Database, settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A second API on the same database."""
    async with serving(database_url, settings) as one, httpx.AsyncClient(base_url=one.url, timeout=20) as client:
        yield client


async def test_a_repetition_is_answered_with_the_first_job(client: httpx.AsyncClient) -> None:
    first = await post(client, "abc")
    again = await post(client, '"abc"')

    assert first.status_code == again.status_code == 202
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert await how_many(client) == 1


async def test_the_first_job_is_shown_as_it_is_now(client: httpx.AsyncClient, worker: HandWorker) -> None:
    """202 all the same: the answer to a submission. Only who waits is told that it has finished."""
    job_id = (await post(client, "abc")).json()["id"]
    await worker.succeed(job_id, await worker.begin(job_id), '{"text": "cba"}')

    again, waiting = await post(client, "abc"), await post(client, "abc", Prefer="wait=20")

    assert (again.status_code, waiting.status_code) == (202, 200)
    assert again.json()["result"] == waiting.json()["result"] == {"text": "cba"}
    assert "retry-after" not in again.headers
    assert waiting.headers["preference-applied"] == "wait=20"
    assert waiting.headers["idempotent-replayed"] == "true"


async def test_a_repetition_waits_as_the_first_would(client: httpx.AsyncClient, worker: HandWorker) -> None:
    job_id = (await post(client, "abc")).json()["id"]
    attempt = await worker.begin(job_id)
    again = asyncio.create_task(post(client, "abc", Prefer="wait=20"))
    done, _ = await asyncio.wait({again}, timeout=0.2)
    assert not done
    await worker.succeed(job_id, attempt, '{"text": "cba"}')

    answer = await again

    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")


async def test_the_same_json_written_otherwise_is_the_same(client: httpx.AsyncClient) -> None:
    first = await post(client, "abc")
    content = b'{ "metadata": {"order":4711},\n "input":{"te\\u0078t":"abc"}, "model": "reverse" }'
    again = await client.post("/v1/jobs", content=content, headers={"Idempotency-Key": "abc"})

    assert again.status_code == 202, again.text
    assert again.json()["id"] == first.json()["id"]


async def test_another_body_with_the_key_is_refused(client: httpx.AsyncClient) -> None:
    """Also one that would not have fitted: the key is looked up before anything else is checked."""
    await post(client, "abc")

    for body in (BODY | {"metadata": {"order": 4712}}, {"model": "nope"}, {"x": 1}):
        refused = await post(client, "abc", body)
        assert refused.status_code == 422, refused.text
        assert refused.json()["code"] == "idempotency_key_reused"
    assert await how_many(client) == 1


async def test_a_repetition_is_answered_whatever_would_be_refused_now(
    client: httpx.AsyncClient, database_url: str, db: Database, settings: ApiSettings
) -> None:
    """Before validation: the model may be gone, the limits may be others."""
    first = await post(client, "abc")
    strict = settings.model_copy(update={"max_queue_ttl": 0.001, "metadata_limit": 2})
    async with serving(database_url, strict) as one, httpx.AsyncClient(base_url=one.url, timeout=20) as later:
        again, fresh = await post(later, "abc"), await post(later, "def")

    assert again.json()["id"] == first.json()["id"]
    assert fresh.status_code == 413


async def test_a_submission_that_was_refused_leaves_its_key_free(client: httpx.AsyncClient) -> None:
    refused = await post(client, "abc", {"model": "reverse", "input": {"text": 1}})
    assert refused.status_code == 422
    assert refused.json()["code"] == "does_not_fit"

    assert (await post(client, "abc")).status_code == 202


@pytest.mark.parametrize("key", ["", '""', '"', "k" * 256, "a\tb", '"abc" d'])
async def test_what_cannot_be_a_key_is_refused(any_client: httpx.AsyncClient, key: str) -> None:
    refused = await post(any_client, key)

    assert refused.status_code == 400, refused.text
    assert refused.json()["code"] == "malformed_idempotency_key"


async def test_two_keys_that_differ_are_refused(any_client: httpx.AsyncClient) -> None:
    headers = [("Idempotency-Key", "twice"), ("Idempotency-Key", '"twice"')]
    same = await any_client.post("/v1/jobs", json=BODY, headers=headers)
    different = await any_client.post("/v1/jobs", json=BODY, headers=[*headers, ("Idempotency-Key", "b")])

    assert (same.status_code, different.status_code) == (202, 400)


@pytest.mark.parametrize("body", [b"{", b'{"a": "\xff"}', b'{"metadata": {"a": "\\ud800"}}'])
async def test_what_is_not_json_is_refused_as_ever(any_client: httpx.AsyncClient, body: bytes) -> None:
    refused = await any_client.post("/v1/jobs", content=body, headers={"Idempotency-Key": "not json"})

    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_body")


async def test_without_a_key_each_submission_is_one_of_its_own(client: httpx.AsyncClient) -> None:
    ids = {(await client.post("/v1/jobs", json=BODY)).json()["id"] for _ in range(3)}

    assert len(ids) == 3


async def test_fifty_at_once_are_one_job(client: httpx.AsyncClient) -> None:
    """Who comes while it is being stored is asked to come again, and is told of the same job then."""
    answers = await asyncio.gather(*(post(client, "abc") for _ in range(50)))

    assert {answer.status_code for answer in answers} <= {202, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "idempotency_key_in_use"
            assert answer.headers["retry-after"] == "1"
    again = await asyncio.gather(*(post(client, "abc") for _ in range(50)))
    assert {answer.status_code for answer in again} == {202}
    assert len({answer.json()["id"] for answer in [*again, *answers] if answer.status_code == 202}) == 1
    assert await how_many(client) == 1


async def test_two_processes_store_one_job(client: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    """For each key, whoever is faster; keyed and other submissions go in one statement."""
    keys = [f"key {number}" for number in range(25)]
    calls = [post(one, key) for key in keys for one in (client, other)]
    calls += [one.post("/v1/jobs", json=BODY) for one in (client, other) for _ in range(10)]

    answers = await asyncio.gather(*calls)

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers[:50]}) == 25
    assert sum("idempotent-replayed" in answer.headers for answer in answers[:50]) == 25
    assert await how_many(client) == 25 + 20


async def test_the_key_goes_with_its_job(client: httpx.AsyncClient, db: Database) -> None:
    job_id = (await post(client, "abc")).json()["id"]
    await client.post(f"/v1/jobs/{job_id}/cancel")
    assert (await client.delete(f"/v1/jobs/{job_id}")).status_code == 204

    assert (await post(client, "abc")).json()["id"] != job_id
