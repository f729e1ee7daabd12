"""Statistics, metrics, and what `Retry-After` is made from, through a real API."""

import asyncio
from dataclasses import replace
from http import HTTPStatus
from uuid import uuid4

import httpx
from prometheus_client.parser import text_string_to_metric_families

from shared.database.catalogue import register_model
from shared.database.dead_letters import keep_dead_letter
from shared.database.pool import Database
from tests.integration.api.conftest import REVERSE, Submit
from tests.integration.api.worker import HandWorker

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scrape(client: httpx.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_statistics_are_of_each_queue(client: httpx.AsyncClient, submit: Submit, worker: HandWorker) -> None:
    jobs = [await submit() for _ in range(4)]
    await worker.succeed(jobs[0]["id"], await worker.begin(jobs[0]["id"]), '"cba"')
    await worker.fail(jobs[1]["id"], await worker.begin(jobs[1]["id"]))
    await worker.begin(jobs[2]["id"])

    queues = (await client.get("/v1/stats")).json()["queues"]

    assert [queue["queue"] for queue in queues] == ["anything", "pictures", "reverse"]
    reverse = queues[2]
    assert reverse["counts"] == {
        "queued": 1,
        "running": 1,
        "cancelling": 0,
        "succeeded": 1,
        "failed": 1,
        "cancelled": 0,
        "expired": 0,
    }
    assert reverse["done_per_minute"] == 2
    assert 0 <= reverse["oldest_waiting"] < 60
    for times in (reverse["waiting"], reverse["running"]):
        assert 0 <= times["p50"] <= times["p95"] <= times["p99"] < 60
    assert queues[0]["oldest_waiting"] is None
    assert queues[0]["running"] == {"p50": None, "p95": None, "p99": None}


async def test_retry_after_follows_how_long_jobs_take(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker, db: Database
) -> None:
    """Unknown at first; then what the latest took."""
    first = await submit()
    await worker.succeed(first["id"], await worker.begin(first["id"]), '"cba"')
    async with db._pool.acquire() as connection:
        await connection.execute("UPDATE jobs SET started_at = finished_at - interval '30 s'")
    job = await submit()
    async with asyncio.timeout(20):  # what was read at the first submission lives for some seconds
        while (answer := await client.get(f"/v1/jobs/{job['id']}")).headers["retry-after"] != "30":
            await asyncio.sleep(0.05)

    assert answer.json()["queue_position"] == 1
    known = await client.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": answer.headers["etag"]})
    assert (known.status_code, int(known.headers["retry-after"])) == (HTTPStatus.NOT_MODIFIED, 30)
    last = await client.post("/v1/jobs", json={"model": "reverse", "input": {"text": "abc"}})
    assert int(last.headers["retry-after"]) >= 30


async def test_metrics_count_requests_by_template(client: httpx.AsyncClient, submit: Submit) -> None:
    job = await submit()
    for _ in range(3):
        await client.get(f"/v1/jobs/{job['id']}")
    await client.get("/v1/jobs/no-such")
    await client.get("/nowhere/at/all?secret=1")
    await client.request("TRACE", "/coffee")

    samples = await scrape(client)

    def count(route: str, method: str, status: int) -> float:
        labels = (("method", method), ("route", route), ("status", str(status)))
        return samples["torchrelay_http_request_duration_seconds_count", labels]

    assert count("/v1/jobs", "POST", 202) == 1
    assert count("/v1/jobs/{job_id}", "GET", 200) == 3
    assert count("/v1/jobs/{job_id}", "GET", 404) == 1
    assert count("unmatched", "GET", 404) == 1
    assert count("unmatched", "other", 404) == 1
    assert not any("nowhere" in str(labels) or "secret" in str(labels) for _, labels in samples)


async def test_metrics_tell_of_the_queues_and_of_this_process(client: httpx.AsyncClient, submit: Submit) -> None:
    job = await submit()
    for _ in range(3):
        await client.get(f"/v1/jobs/{job['id']}")

    samples = await scrape(client)

    assert samples["torchrelay_queue_jobs", (("queue", "reverse"), ("state", "queued"))] == 1
    assert samples["torchrelay_queue_jobs", (("queue", "anything"), ("state", "queued"))] == 0
    assert samples["torchrelay_queue_oldest_waiting_seconds", (("queue", "reverse"),)] >= 0
    assert samples["torchrelay_submissions_total", ()] == 1
    assert samples["torchrelay_status_reads_total", (("source", "cache"),)] >= 1
    assert samples["torchrelay_waiting_requests", ()] == 0
    assert samples["process_resident_memory_bytes", ()] > 1e6
    assert ("torchrelay_relay_published_total", ()) in samples
    assert ("torchrelay_reconciled_jobs_total", (("what", "requeued"),)) in samples


async def test_metrics_tell_how_many_dead_letters_are_kept(client: httpx.AsyncClient, db: Database) -> None:
    """Also of queues that have none, so that an alert has something to compare, and of queues that no model has."""
    for queue in ("reverse", "reverse", "forgotten"):
        await keep_dead_letter(db, uuid4(), queue, b"?", {}, "no JSON")

    samples = await scrape(client)

    kept = {
        dict(labels)["queue"]: value for (name, labels), value in samples.items() if name == "torchrelay_dead_letters"
    }
    assert kept == {"reverse": 2, "anything": 0, "pictures": 0, "forgotten": 1}


async def test_a_promoted_version_is_the_default(client: httpx.AsyncClient, db: Database) -> None:
    await register_model(db, replace(REVERSE, version=2))
    newest = await client.post("/v1/models/reverse/versions/2/promote")
    again = [await client.post("/v1/models/reverse/versions/1/promote") for _ in range(2)]
    job = await client.post("/v1/jobs", json={"model": "reverse", "input": {"text": "abc"}})

    assert newest.status_code == 200
    assert [one.status_code for one in again] == [200, 200]
    assert {one["version"]: one["default"] for one in again[0].json()["versions"]} == {1: True, 2: False}
    assert again[0].json() == again[1].json()
    assert job.json()["version"] == 1


async def test_what_there_is_not_cannot_be_promoted(any_client: httpx.AsyncClient) -> None:
    for path in ("reverse/versions/7", "nope/versions/1", "reverse/versions/one", "reverse/versions/" + "9" * 5000):
        answer = await any_client.post(f"/v1/models/{path}/promote")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
