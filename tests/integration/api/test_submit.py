"""POST /v1/jobs."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from api_service.settings import ApiSettings
from shared.database.pool import Database
from tests.integration.api.conftest import Submit, serving
from tests.integration.api.worker import HandWorker


async def refused(client: httpx.AsyncClient, body: bytes | dict[str, Any], status: int, **headers: str) -> Any:
    """Posts what must be refused. -> the problem."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = await client.post("/v1/jobs", content=content, headers={"content-type": "application/json", **headers})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    return answer.json()


async def test_a_submission_is_stored_and_answered_with_where_it_is(any_client: httpx.AsyncClient) -> None:
    answer = await any_client.post("/v1/jobs", json={"model": "reverse", "input": {"text": "abc"}})

    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == job["urls"]["self"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert (job["state"], job["version"], job["attempt"], job["result"]) == ("queued", 1, 0, None)
    assert "input" not in job


async def test_input_and_metadata_are_kept_to_the_letter(any_client: httpx.AsyncClient) -> None:
    input_text = '{"a":  1.50, "a": 2, "big": 123456789012345678901234567890, "e": 1E5, "\\u0000": "\\u00e9 é \\u0000"}'
    body = f'{{"model": "anything", "input": {input_text}, "metadata": {{"b" :\n1.0}}}}'

    posted = await any_client.post("/v1/jobs", content=body.encode(), headers={"content-type": "application/json"})
    assert posted.status_code == 202, posted.text
    answer = await any_client.get(posted.headers["location"], params={"include": "input"})

    assert f'"input":{input_text},' in answer.text
    assert '"metadata":{"b" :\n1.0},' in answer.text


async def test_defaults_are_the_models_then_the_systems(submit: Submit) -> None:
    from_model, own = await submit(), await submit(queue_ttl=60, max_attempts=1, version=None)

    def ttl(job: dict[str, Any]) -> float:
        return float((_time(job["queue_deadline"]) - _time(job["created_at"])).total_seconds())

    assert (ttl(from_model), ttl(own)) == (3600.0, 60.0)
    assert (from_model["max_attempts"], own["max_attempts"]) == (3, 1)


async def test_limits_are_capped(any_client: httpx.AsyncClient) -> None:
    body = {"model": "reverse", "input": {"text": ""}, "queue_ttl": 1e9, "execution_timeout": 1e9, "max_attempts": 26}

    problem = await refused(any_client, body, 422)

    assert [fault["path"] for fault in problem["errors"]] == ["/queue_ttl", "/execution_timeout", "/max_attempts"]


async def test_an_input_that_does_not_fit_is_refused_with_each_fault(any_client: httpx.AsyncClient) -> None:
    problem = await refused(any_client, {"model": "reverse", "input": {"text": 1, "numbers": [1, "x"]}}, 422)

    assert {fault["path"] for fault in problem["errors"]} == {"/input/text", "/input/numbers/1"}
    assert all(fault["message"] for fault in problem["errors"])


async def test_fields_that_there_are_not_or_that_are_missing_are_named(any_client: httpx.AsyncClient) -> None:
    problem = await refused(any_client, {"model": 1, "colour": "red", "a/b": 1, "queue_ttl": -1}, 422)

    assert {fault["path"] for fault in problem["errors"]} == {"/model", "/colour", "/a~1b", "/queue_ttl", "/input"}


async def test_models_and_versions_that_there_are_not_name_those_there_are(any_client: httpx.AsyncClient) -> None:
    no_model = await refused(any_client, {"model": "nope\u0000", "input": {}}, 404)
    no_version = await refused(any_client, {"model": "anything", "version": 7, "input": {}}, 404)

    assert no_model["code"] == no_version["code"] == "unknown_model"
    assert "anything, pictures, reverse" in no_model["detail"]
    assert "There are: 2." in no_version["detail"]


async def test_a_task_that_the_model_does_not_do_is_refused(any_client: httpx.AsyncClient) -> None:
    problem = await refused(any_client, {"model": "reverse", "input": {}, "task": "training"}, 422)

    assert [fault["path"] for fault in problem["errors"]] == ["/task"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b'{"model": "anything", "input": NaN}',
        b'{"model": "anything", "input": Infinity}',
        b'{"model": "anything", "input": "\xff"}',
        b'{"model": "anything", "input": {}, "metadata": {"a": "\xed\xa0\x80"}}',
        b'{"model": "\xff", "input": 1}',
        b'{"model": "anything", "input": "\\ud800"}',
        b'{"model": "anything", "input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model": "anything", "input": 1} 2',
        b'\xef\xbb\xbf{"model": "anything", "input": 1}',
    ],
)
async def test_what_is_not_json_is_refused(any_client: httpx.AsyncClient, body: bytes) -> None:
    assert (await refused(any_client, body, 400))["code"] == "malformed_body"


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"'])
async def test_json_that_is_no_object_does_not_fit(any_client: httpx.AsyncClient, body: bytes) -> None:
    assert (await refused(any_client, body, 422))["errors"][0]["path"] == ""


async def test_a_number_that_no_float_holds_does_not_fit(any_client: httpx.AsyncClient) -> None:
    problem = await refused(any_client, b'{"model": "anything", "input": [1e999]}', 422)

    assert problem["errors"][0]["path"] == "/input"


async def test_nesting_as_deep_as_can_be_read_is_no_accident(any_client: httpx.AsyncClient) -> None:
    """Whatever the depth, it is stored or refused, and never a 500."""
    for depth in (50, 200, 400, 700, 900, 990, 1100):
        body = b'{"model": "anything", "input": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        answer = await any_client.post("/v1/jobs", content=body)
        assert answer.status_code in {202, 400}, (depth, answer.text)


async def test_only_json_is_taken(any_client: httpx.AsyncClient) -> None:
    body = {"model": "anything", "input": 1}

    problem = await refused(any_client, body, 415, **{"content-type": "text/plain"})
    assert problem["code"] == "unsupported_media_type"
    for kind in ("application/json; charset=utf-8", "application/vnd.x+json", "Application/JSON"):
        posted = await any_client.post("/v1/jobs", content=json.dumps(body), headers={"content-type": kind})
        assert posted.status_code == 202
    unnamed = await any_client.post("/v1/jobs", content=json.dumps(body).encode())
    assert unnamed.status_code == 202


async def test_too_large_a_body_is_refused_before_it_is_read(any_client: httpx.AsyncClient) -> None:
    problem = await refused(any_client, b" " * 2_000_000, 413)
    assert "uploads" in problem["detail"]
    assert "1069056" in problem["detail"]

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 10_000

    assert (await any_client.post("/v1/jobs", content=endless())).status_code == 413
    almost = b'{"model": "anything", "input": "' + b"x" * 1_050_000 + b'"}'
    assert "input" in (await refused(any_client, almost, 413))["detail"]
    assert (await any_client.get("/healthz")).status_code == 200


async def test_an_input_may_have_a_mebibyte_to_the_byte(any_client: httpx.AsyncClient) -> None:
    full = '"' + "x" * (2**20 - 2) + '"'

    taken = await any_client.post("/v1/jobs", content=f'{{"model": "anything", "input": {full}}}'.encode())
    refused = await any_client.post("/v1/jobs", content=f'{{"model": "anything", "input": {full[:-1]}x"}}'.encode())

    assert (taken.status_code, refused.status_code) == (202, 413)


async def test_metadata_is_an_object_and_limited(any_client: httpx.AsyncClient) -> None:
    body = {"model": "anything", "input": 1}

    assert (await refused(any_client, {**body, "metadata": [1]}, 422))["errors"][0]["path"] == "/metadata"
    await refused(any_client, {**body, "metadata": {"a": "x" * 20_000}}, 413)
    empty = await any_client.post("/v1/jobs", json={**body, "metadata": None})
    assert empty.json()["metadata"] is None


async def test_prefer_wait_answers_200_as_soon_as_it_finishes(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    body = {"model": "reverse", "input": {"text": "abc"}}
    posting = asyncio.create_task(client.post("/v1/jobs", json=body, headers={"Prefer": "respond-async, Wait=100"}))
    while not (jobs := (await client.get("/v1/jobs")).json()["jobs"]):
        assert not posting.done()
    job_id = jobs[0]["id"]
    await worker.succeed(job_id, await worker.begin(job_id), '{"text": "cba"}')

    answer = await posting

    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=60"
    assert answer.json()["result"] == {"text": "cba"}
    assert "retry-after" not in answer.headers


async def test_prefer_wait_answers_202_when_the_time_is_over(any_client: httpx.AsyncClient) -> None:
    body = {"model": "reverse", "input": {"text": "abc"}}

    answer = await any_client.post("/v1/jobs", json=body, headers={"Prefer": "wait=1"})

    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"
    assert answer.headers["location"]


@pytest.mark.parametrize("prefer", ["wait=soon", "wait", "wait=-1", "wait=1.5", ";;", "return=minimal"])
async def test_a_malformed_preference_is_ignored(any_client: httpx.AsyncClient, prefer: str) -> None:
    answer = await any_client.post("/v1/jobs", json={"model": "anything", "input": 1}, headers={"Prefer": prefer})

    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


async def test_submissions_at_once_all_get_their_own_job(any_client: httpx.AsyncClient) -> None:
    bodies = [{"model": "anything", "input": number, "metadata": {"number": number}} for number in range(150)]

    answers = await asyncio.gather(*(any_client.post("/v1/jobs", json=body) for body in bodies))

    assert [answer.json()["metadata"]["number"] for answer in answers] == list(range(150))
    assert len({answer.json()["id"] for answer in answers}) == 150


async def test_the_limits_are_settings(database_url: str, db: Database, settings: ApiSettings) -> None:
    own = settings.model_copy(update={"inline_input_limit": 10, "default_max_attempts": 7})
    async with serving(database_url, own) as one, httpx.AsyncClient(base_url=one.url) as client:
        small = await client.post("/v1/jobs", json={"model": "anything", "input": "x"})
        large = await client.post("/v1/jobs", json={"model": "anything", "input": "x" * 10})

    assert small.json()["max_attempts"] == 7
    assert large.status_code == 413


def _time(text: str) -> datetime:

    return datetime.fromisoformat(text)
