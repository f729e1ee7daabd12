"""How much an owner may submit, and a queue may hold."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from shared.database.pool import Database
from tests.integration.api.keys import SUBMISSION, Guarded, guarding, submitted
from tests.integration.api.worker import HandWorker


async def post(client: httpx.AsyncClient, jobs: int = 1, **headers: str) -> httpx.Response:
    """One job alone, or several together."""
    if jobs == 1:
        return await client.post("/v1/jobs", json=SUBMISSION, headers=headers)
    return await client.post("/v1/jobs/batch", json={"jobs": [SUBMISSION] * jobs}, headers=headers)


def refused(answer: httpx.Response, status: int, code: str) -> int:
    """-> Retry-After"""
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    seconds = int(answer.headers["Retry-After"])
    assert 1 <= seconds <= 60
    return seconds


async def waiting(guarded: Guarded, owner: str) -> int:
    async with guarded.by(owner, "read") as client:
        return len((await client.get("/v1/jobs", params={"state": "queued", "limit": 200})).json()["jobs"])


@pytest.mark.parametrize("jobs", [1, 5])
async def test_an_owner_may_have_so_many_waiting(database_url: str, db: Database, jobs: int) -> None:
    async with guarding(database_url, db, max_waiting_per_owner=10) as guarded:
        async with guarded.by("ann") as ann, guarded.by("bob") as bob:
            answers = await asyncio.gather(*(post(ann, jobs) for _ in range(30)))

            told = Counter(answer.status_code for answer in answers)
            assert told == {202: 10 // jobs, 429: 30 - 10 // jobs}
            refused(await post(ann, jobs), 429, "too_many_waiting")
            assert (await post(bob, jobs)).status_code == 202
        assert await waiting(guarded, "ann") == 10


async def test_what_a_worker_has_taken_waits_no_longer(database_url: str, db: Database, worker: HandWorker) -> None:
    async with guarding(database_url, db, max_waiting_per_owner=1) as guarded, guarded.by("ann") as ann:
        job_id = await submitted(ann)
        refused(await post(ann), 429, "too_many_waiting")
        await worker.begin(job_id)

        async with asyncio.timeout(20):
            while (answer := await post(ann)).status_code == 429:
                await asyncio.sleep(min(0.2, refused(answer, 429, "too_many_waiting")))
        assert answer.status_code == 202


async def test_a_full_queue_is_full_for_everybody_and_others_are_not(database_url: str, db: Database) -> None:
    async with guarding(database_url, db, max_waiting_per_queue=2) as guarded:
        async with guarded.by("ann") as ann, guarded.by("bob") as bob:
            assert (await post(ann, 2)).status_code == 202
            refused(await post(ann), 503, "queue_full")
            refused(await post(bob, 2), 503, "queue_full")
            elsewhere = {"jobs": [{"model": "anything", "input": 1}, SUBMISSION]}
            refused(await bob.post("/v1/jobs/batch", json=elsewhere), 503, "queue_full")

            assert (await bob.post("/v1/jobs", json={"model": "anything", "input": 1})).status_code == 202
        assert await waiting(guarded, "bob") == 1


async def test_an_owner_may_submit_so_fast(database_url: str, db: Database) -> None:
    async with (
        guarding(database_url, db, rate_limit=0.05, rate_burst=3) as guarded,
        guarded.by("ann") as ann,
        guarded.by("ann") as by_another_key,
        guarded.by("bob") as bob,
    ):
        assert (await post(ann, 2)).status_code == 202
        refused(await post(ann, 2), 429, "rate_limited")
        assert (await post(by_another_key)).status_code == 202
        assert refused(await post(ann), 429, "rate_limited") > 10
        assert (await post(bob)).status_code == 202


@pytest.mark.parametrize("limits", [{"max_waiting_per_owner": 2}, {"rate_limit": 0.05, "rate_burst": 2}])
@pytest.mark.parametrize("jobs", [1, 2])
async def test_what_was_submitted_before_is_answered_all_the_same(
    database_url: str, db: Database, limits: dict[str, Any], jobs: int
) -> None:
    async with guarding(database_url, db, **limits) as guarded, guarded.by("ann") as ann:
        headers = {"Idempotency-Key": "1"}
        first = await post(ann, jobs, **headers)
        await post(ann, jobs)  # one more alone is let in, and no batch of two
        assert (await post(ann)).status_code == 429

        again = await post(ann, jobs, **headers)

    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert first.json().get("id") == again.json().get("id")


async def test_what_does_not_fit_costs_nothing(database_url: str, db: Database) -> None:
    async with guarding(database_url, db, rate_limit=0.05, rate_burst=1) as guarded, guarded.by("ann") as ann:
        for _ in range(3):
            assert (await ann.post("/v1/jobs", json={"model": "reverse", "input": {}})).status_code == 422

        assert (await post(ann)).status_code == 202
