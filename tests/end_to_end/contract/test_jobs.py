"""A job, its submission, and asking for it."""

import asyncio
import re
import time
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from deploy.client import AsyncClient
from deploy.local.system import LocalSystem
from tests.end_to_end.client import Client
from tests.end_to_end.contract.asking import UNKNOWN, echo, key, problem
from tests.end_to_end.contract.conftest import Hold

FIELDS = {
    *("id", "task", "model", "version", "state", "queue", "progress", "attempt", "charged", "max_attempts"),
    *("result", "result_url", "error", "metadata", "batch_id", "queue_position"),
    *("created_at", "started_at", "finished_at", "queue_deadline", "purge_at", "urls"),
}


async def test_a_job_has_exactly_these_fields(http: httpx.AsyncClient) -> None:
    """JSON everywhere, snake_case, times in RFC 3339 UTC, ids UUIDv7."""
    answer = await http.post("/v1/jobs", json=echo({"a": [1, None]}, metadata={"page": 3}))
    job = answer.json()
    assert job.keys() == FIELDS
    assert UUID(job["id"]).version == 7
    created = datetime.fromisoformat(job["created_at"])
    assert created.utcoffset() == timedelta(0)
    assert datetime.fromisoformat(job["queue_deadline"]) - created == timedelta(days=1)
    assert (job["task"], job["model"], job["version"], job["queue"]) == ("inference", "echo", 1, "echo")
    assert (job["metadata"], job["max_attempts"], job["batch_id"]) == ({"page": 3}, 3, None)
    url = f"/v1/jobs/{job['id']}"
    rest = {name: f"{url}/{name}" for name in ("result", "cancel", "retry", "events")}
    assert job["urls"] == {"self": url, **rest}


async def test_a_submission_is_answered_at_once(http: httpx.AsyncClient) -> None:
    """202, `Location`, `Retry-After`, the job."""
    answer = await http.post("/v1/jobs", json=echo(seconds=0.2))
    assert answer.status_code == 202
    assert answer.headers["Location"] == answer.json()["urls"]["self"]
    assert re.fullmatch(r"[1-9]\d*", answer.headers["Retry-After"])
    assert answer.json()["state"] == "queued"
    assert "Preference-Applied" not in answer.headers


async def test_a_preference_to_wait_is_heeded(http: httpx.AsyncClient) -> None:
    """With `Prefer: wait=N`: 200 if it finished; `Preference-Applied`."""
    answer = await http.post("/v1/jobs", json=echo("x"), headers={"Prefer": "wait=20"})
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert (answer.json()["state"], answer.json()["result"]) == ("succeeded", {"value": "x"})
    assert "Retry-After" not in answer.headers


async def test_who_waits_too_briefly_has_the_job_as_it_is(http: httpx.AsyncClient) -> None:
    """Else 202; never cancels."""
    answer = await http.post("/v1/jobs", json=echo("late", seconds=2.5), headers={"Prefer": "respond-async, wait=1"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")
    done = await http.get(answer.headers["Location"], params={"wait": 30})
    assert done.json()["result"] == {"value": "late"}


async def test_a_long_preference_is_clamped(http: httpx.AsyncClient) -> None:
    """Clamped to 60."""
    answer = await http.post("/v1/jobs", json=echo(), headers={"Prefer": "wait=100000"})
    assert answer.headers["Preference-Applied"] == "wait=60"


@pytest.mark.parametrize("prefer", ["wait", "wait=x", "wait=-1", "wait==3", ";;;", "wait=1.5", ""])
async def test_a_malformed_preference_is_ignored(http: httpx.AsyncClient, prefer: str) -> None:
    """A malformed preference is ignored (RFC 7240)."""
    answer = await http.post("/v1/jobs", json=echo(), headers={"Prefer": prefer})
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


async def test_limits_of_a_job_can_be_given(http: httpx.AsyncClient) -> None:
    """`queue_ttl?, execution_timeout?, max_attempts?`"""
    answer = await http.post("/v1/jobs", json=echo(queue_ttl=60, execution_timeout=5.5, max_attempts=1, version=1))
    job = answer.json()
    waits = datetime.fromisoformat(job["queue_deadline"]) - datetime.fromisoformat(job["created_at"])
    assert (waits, job["max_attempts"]) == (timedelta(seconds=60), 1)


async def test_asking_gives_the_job_whatever_its_state(client: Client, http: httpx.AsyncClient) -> None:
    """200 whatever the state; `ETag`, `Cache-Control: private, no-cache`, `Vary: Authorization, Prefer`."""
    failed = await client.run("echo", {"value": 1, "behave": "raise"})
    answer = await http.get(failed["urls"]["self"])
    assert answer.status_code == 200
    assert answer.headers["ETag"]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert {part.strip() for part in answer.headers["Vary"].split(",")} >= {"Authorization", "Prefer"}
    assert "Retry-After" not in answer.headers
    error = answer.json()["error"]
    assert error.keys() == {"code", "message", "retryable", "attempts"}
    assert error["code"] == "model_error"
    assert all(
        one.keys() == {"attempt", "worker", "started_at", "ended_at", "code", "message"} for one in error["attempts"]
    )


async def test_what_is_known_is_not_sent_again(http: httpx.AsyncClient) -> None:
    """`If-None-Match` → 304."""
    job = (await http.post("/v1/jobs", json=echo(), headers={"Prefer": "wait=20"})).json()
    first = await http.get(job["urls"]["self"])
    again = await http.get(job["urls"]["self"], headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


async def test_an_unfinished_job_says_when_to_ask_again(hold: Hold, http: httpx.AsyncClient) -> None:
    """`Retry-After` while unfinished."""
    job = await hold()
    answer = await http.get(job["urls"]["self"])
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    await http.post(job["urls"]["cancel"])


@pytest.mark.parametrize("wait", ["0", "61", "x", "-1", "1.5", ""])
async def test_a_wait_that_cannot_be_is_refused(http: httpx.AsyncClient, wait: str) -> None:
    """`?wait=N` (1-60, else 422)."""
    job = (await http.post("/v1/jobs", json=echo())).json()
    problem(await http.get(job["urls"]["self"], params={"wait": wait}), 422, "/query/wait")


async def test_a_finished_job_answers_at_once(http: httpx.AsyncClient) -> None:
    """A finished job answers at once."""
    job = (await http.post("/v1/jobs", json=echo(), headers={"Prefer": "wait=20"})).json()
    begun = time.monotonic()
    for ask in ({"params": {"wait": 30}}, {"headers": {"Prefer": "wait=30"}}):
        assert (await http.get(job["urls"]["self"], **ask)).status_code == 200
    assert time.monotonic() - begun < 20


async def test_a_wait_with_a_tag_answers_when_it_differs(hold: Hold, client: Client, http: httpx.AsyncClient) -> None:
    """With `If-None-Match` it answers when the ETag differs, else 304 after N s."""
    await client.reaches((await hold())["id"], "running")
    job = await hold()  # behind the other: after a while nothing happens to it
    url, tag = job["urls"]["self"], '"none"'
    while (answer := await http.get(url, params={"wait": 1}, headers={"If-None-Match": tag})).status_code == 200:
        tag = answer.headers["ETag"]
    assert (answer.status_code, answer.content) == (304, b"")
    waiting = asyncio.create_task(http.get(url, params={"wait": 30}, headers={"If-None-Match": tag}))
    await http.post(job["urls"]["cancel"])
    assert (await waiting).json()["state"] in {"cancelling", "cancelled"}


async def test_a_wait_without_a_tag_answers_when_it_has_finished(
    hold: Hold, client: Client, http: httpx.AsyncClient
) -> None:
    """Without, when finished, else 200 as it is after N s."""
    job = await hold()
    await client.reaches(job["id"], "running")
    unfinished = await http.get(job["urls"]["self"], headers={"Prefer": "wait=1"})
    assert (unfinished.status_code, unfinished.json()["state"]) == (200, "running")
    assert unfinished.headers["Preference-Applied"] == "wait=1"
    await http.post(job["urls"]["cancel"])
    assert (await http.get(job["urls"]["self"], params={"wait": 30})).json()["state"] == "cancelled"


async def test_the_input_is_left_out_unless_asked_for(http: httpx.AsyncClient) -> None:
    """`input` is left out unless `?include=input`."""
    job = (await http.post("/v1/jobs", json=echo({"deep": [1]}))).json()
    assert "input" not in job
    full = (await http.get(job["urls"]["self"], params={"include": "input"})).json()
    assert full["input"]["value"] == {"deep": [1]}
    problem(await http.get(job["urls"]["self"], params={"include": "x"}), 422)


async def test_a_result_comes_bare(client: Client, http: httpx.AsyncClient) -> None:
    """200 the bare result."""
    job = await client.run("echo", {"value": ["bare"]})
    answer = await http.get(job["urls"]["result"])
    assert (answer.status_code, answer.json()) == (200, {"value": ["bare"]})


async def test_without_a_result_there_is_a_conflict(hold: Hold, client: Client, http: httpx.AsyncClient) -> None:
    """409 not finished or ended without one."""
    failed = await client.run("echo", {"value": 1, "behave": "raise"})
    problem(await http.get(failed["urls"]["result"]), 409)
    waiting = await hold()
    problem(await http.get(waiting["urls"]["result"]), 409)
    await http.post(waiting["urls"]["cancel"])


async def test_a_large_result_lies_elsewhere(http: httpx.AsyncClient) -> None:
    """A result over 1 MiB goes to the blob store: `result` is null and `result_url` says where it is."""
    upload = (await http.post("/v1/uploads", content=b'{"value": "' + b"x" * 3_000_000 + b'"}')).json()
    body = {"model": "echo", "input": {"upload": upload["id"]}}
    job = (await http.post("/v1/jobs", json=body, headers={"Prefer": "wait=30"})).json()
    assert (job["state"], job["result"]) == ("succeeded", None), job["error"]
    answer = await http.get(job["result_url"])
    assert answer.json() == {"value": "x" * 3_000_000}
    assert job["result_url"] == job["urls"]["result"]


async def test_a_result_that_outgrew_its_row_is_streamed_and_saved(
    contract: tuple[LocalSystem, Client], http: httpx.AsyncClient, tmp_path: Path
) -> None:
    """From an input of less than 1 MiB: a short number can have a long text."""
    count = 170_000
    text = '{"model": "echo", "input": {"value": [' + ",".join(["1e15"] * count) + "]}}"
    headers = {"Content-Type": "application/json", "Prefer": "wait=60"}
    job = (await http.post("/v1/jobs", content=text, headers=headers)).json()
    assert (job["state"], job["result"], job["result_url"]) == ("succeeded", None, job["urls"]["result"]), job["error"]

    whole = await http.get(job["result_url"])
    size = int(whole.headers["Content-Length"])
    assert size == len(whole.content) > 2**20
    assert whole.json() == {"value": [1e15] * count}
    assert whole.headers["ETag"] == f'"{sha256(whole.content).hexdigest()}"'
    part = await http.get(job["result_url"], headers={"Range": "bytes=0-0"})  # as the page asks for its size
    assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes 0-0/{size}")

    async with AsyncClient(contract[0].url) as client:
        assert await client.save_result(job["id"], tmp_path / "result.json") == size
        assert await client.result(job["id"]) == whole.json()
    assert (tmp_path / "result.json").read_bytes() == whole.content

    assert (await http.delete(job["urls"]["self"])).status_code == 204
    problem(await http.get(job["result_url"]), 404)
    assert not [path for path in (contract[0].data / "blobs").rglob("*") if job["id"] in str(path)]


@pytest.mark.parametrize("what", ["", "/result", "/events", "/webhook-deliveries"])
async def test_what_is_not_there_is_not_found(http: httpx.AsyncClient, what: str) -> None:
    """404 not there (or not yours)."""
    problem(await http.get(f"/v1/jobs/{UNKNOWN}{what}"), 404)
    problem(await http.get(f"/v1/jobs/no-uuid{what}"), 404)


async def test_cancelling_twice_is_the_same_as_once(hold: Hold, http: httpx.AsyncClient) -> None:
    """200 if cancelled now or before, 202 while it is stopping, 409 if it finished otherwise."""
    job = await hold()
    first = await http.post(job["urls"]["cancel"])
    assert first.status_code in {200, 202}
    assert first.json()["state"] == {200: "cancelled", 202: "cancelling"}[first.status_code]
    await http.get(job["urls"]["self"], params={"wait": 30})
    again = await http.post(job["urls"]["cancel"])
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")
    done = (await http.post("/v1/jobs", json=echo(), headers={"Prefer": "wait=20"})).json()
    problem(await http.post(done["urls"]["cancel"]), 409)


async def test_only_what_ended_badly_is_retried(client: Client, http: httpx.AsyncClient) -> None:
    """202 the same job, queued again; 409 unless failed, cancelled or expired."""
    failed = await client.run("echo", {"value": 1, "behave": "raise"}, max_attempts=1)
    again = await http.post(failed["urls"]["retry"])
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (202, failed["id"], "queued")
    assert (again.json()["charged"], again.json()["error"]) == (0, None)
    assert (await client.finished(failed["id"]))["attempt"] > failed["attempt"]
    done = await client.run("echo", {"value": 1})
    problem(await http.post(done["urls"]["retry"]), 409)


async def test_deleting_is_for_good(hold: Hold, client: Client, http: httpx.AsyncClient) -> None:
    """204 for a finished job; 409 otherwise; afterwards 404."""
    job = await hold()
    problem(await http.delete(job["urls"]["self"]), 409)
    await http.post(job["urls"]["cancel"])
    await client.finished(job["id"])
    gone = await http.delete(job["urls"]["self"])
    assert (gone.status_code, gone.content) == (204, b"")
    for answer in (await http.get(job["urls"]["self"]), await http.delete(job["urls"]["self"])):
        problem(answer, 404)


async def test_what_waits_too_long_expires(hold: Hold, client: Client, http: httpx.AsyncClient) -> None:
    """Past `queue_deadline` → expired, with `queue_expired`; `retry` → queued."""
    blocker = await hold()
    await client.reaches(blocker["id"], "running")
    late = (await http.post("/v1/jobs", json=echo(queue_ttl=0.5))).json()
    ended = (await http.get(late["urls"]["self"], params={"wait": 30})).json()
    await http.post(blocker["urls"]["cancel"])
    assert (ended["state"], ended["error"]["code"]) == ("expired", "queue_expired")
    assert ended["finished_at"]
    assert (await http.post(late["urls"]["retry"])).status_code == 202
    assert (await http.get(late["urls"]["self"], params={"wait": 30})).json()["state"] in {"succeeded", "expired"}


async def test_the_same_key_is_the_same_job(http: httpx.AsyncClient) -> None:
    """The same owner, route, key and body give 202 with the first job as it is now and `Idempotent-Replayed: true`."""
    keyed = key()
    first = await http.post("/v1/jobs", json=echo({"b": 1, "a": 2}), headers=keyed)
    assert "Idempotent-Replayed" not in first.headers
    await http.get(first.headers["Location"], params={"wait": 20})
    turned = echo({"a": 2, "b": 1})
    again = await http.post("/v1/jobs", json=dict(reversed(turned.items())), headers=keyed)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert (again.json()["id"], again.json()["state"]) == (first.json()["id"], "succeeded")
    assert again.headers["Location"] == first.headers["Location"]


async def test_another_body_under_the_same_key_is_refused(http: httpx.AsyncClient) -> None:
    """Another body 422."""
    keyed = key()
    await http.post("/v1/jobs", json=echo(1), headers=keyed)
    problem(await http.post("/v1/jobs", json=echo(2), headers=keyed), 422)


async def test_a_key_is_looked_up_before_anything_is_checked(http: httpx.AsyncClient) -> None:
    """Looked up before validation and quotas."""
    keyed = key()
    await http.post("/v1/jobs", json=echo(1), headers=keyed)
    invalid = {"model": "no-such-model", "input": 1}
    problem(await http.post("/v1/jobs", json=invalid, headers=keyed), 422)


async def test_a_refused_submission_does_not_use_its_key_up(http: httpx.AsyncClient) -> None:
    """Stored in the same transaction as the job."""
    keyed = key()
    problem(await http.post("/v1/jobs", json={"model": "echo"}, headers=keyed), 422, "/input")
    assert (await http.post("/v1/jobs", json=echo(), headers=keyed)).status_code == 202


@pytest.mark.parametrize("bad", ["", "x" * 256, '""'])
async def test_a_key_that_is_none_is_refused(http: httpx.AsyncClient, bad: str) -> None:
    """Empty or longer 400."""
    problem(await http.post("/v1/jobs", json=echo(), headers={"Idempotency-Key": bad}), 400)


async def test_a_quoted_key_is_the_bare_one(http: httpx.AsyncClient) -> None:
    """The quoted and the bare form are the same; 1-255 characters."""
    bare = key()["Idempotency-Key"].ljust(255, "x")
    first = await http.post("/v1/jobs", json=echo(), headers={"Idempotency-Key": bare})
    again = await http.post("/v1/jobs", json=echo(), headers={"Idempotency-Key": f'"{bare}"'})
    assert (first.status_code, again.json()["id"]) == (202, first.json()["id"])


async def test_a_crowd_with_one_key_makes_one_job(http: httpx.AsyncClient) -> None:
    """The first still being stored 409."""
    keyed = key()
    answers = await asyncio.gather(*(http.post("/v1/jobs", json=echo(), headers=keyed) for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1


async def test_a_batch_is_answered_in_order(client: Client, http: httpx.AsyncClient) -> None:
    """202, `{batch_id, jobs: [{id, state, urls}]}` in order."""
    answer = await http.post("/v1/jobs/batch", json={"jobs": [echo(n) for n in range(30)]})
    assert answer.status_code == 202
    assert answer.json().keys() == {"batch_id", "jobs"}
    assert all(job.keys() == {"id", "state", "urls"} for job in answer.json()["jobs"])
    ended = [await client.finished(job["id"]) for job in answer.json()["jobs"]]
    assert [job["result"]["value"] for job in ended] == list(range(30))
    assert {job["batch_id"] for job in ended} == {answer.json()["batch_id"]}
    listed = await http.get("/v1/jobs", params={"batch_id": answer.json()["batch_id"], "limit": 100})
    assert {job["id"] for job in listed.json()["jobs"]} == {job["id"] for job in ended}


async def test_a_batch_is_all_or_nothing(http: httpx.AsyncClient) -> None:
    """All or nothing, errors with `jobs/17/…` paths."""
    jobs = [echo(n, metadata={"batch": "refused"}) for n in range(20)]
    jobs[17]["input"] = {"seconds": "x"}
    body = problem(await http.post("/v1/jobs/batch", json={"jobs": jobs}), 422)
    assert all(fault["path"].startswith("/jobs/17/input") for fault in body["errors"])
    listed = (await http.get("/v1/jobs", params={"limit": 200})).json()["jobs"]
    assert not [job for job in listed if job["metadata"] == {"batch": "refused"}]


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_has_its_limits(http: httpx.AsyncClient, count: int) -> None:
    """`{jobs: [1..1000]}`."""
    problem(await http.post("/v1/jobs/batch", json={"jobs": [echo()] * count}), 422, "/jobs")


async def test_a_batch_has_a_key_too(http: httpx.AsyncClient) -> None:
    """The same owner, route, key and body; another route is another key."""
    keyed = key()
    body = {"jobs": [echo(1), echo(2)]}
    first = await http.post("/v1/jobs/batch", json=body, headers=keyed)
    again = await http.post("/v1/jobs/batch", json=body, headers=keyed)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.json()["batch_id"] == first.json()["batch_id"]
    assert [job["id"] for job in again.json()["jobs"]] == [job["id"] for job in first.json()["jobs"]]
    assert (await http.post("/v1/jobs", json=echo(1), headers=keyed)).status_code == 202


async def test_a_list_is_walked_without_doubles(http: httpx.AsyncClient) -> None:
    """Newest first, `{jobs, next_cursor}`; items leave out `input` and `result`."""
    made = (await http.post("/v1/jobs/batch", json={"jobs": [echo(n) for n in range(7)]})).json()
    asked = {"batch_id": made["batch_id"], "limit": 3}
    seen: list[str] = []
    cursor = None
    while True:
        page = (await http.get("/v1/jobs", params=asked | ({"cursor": cursor} if cursor else {}))).json()
        assert page.keys() == {"jobs", "next_cursor"}
        assert all(job.keys() == FIELDS - {"result"} for job in page["jobs"])
        seen += [job["id"] for job in page["jobs"]]
        await http.post("/v1/jobs", json=echo())  # rows arrive meanwhile
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [job["id"] for job in reversed(made["jobs"])]


@pytest.mark.parametrize(
    "query", [{"state": "x"}, {"limit": 0}, {"limit": "x"}, {"cursor": "x"}, {"batch_id": "x"}, {"task": "x"}]
)
async def test_a_filter_that_does_not_fit_is_refused(http: httpx.AsyncClient, query: dict[str, str]) -> None:
    """422 does not fit."""
    (name,) = query
    problem(await http.get("/v1/jobs", params=query), 422, f"/query/{name}")
