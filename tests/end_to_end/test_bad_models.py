"""Models that misbehave: each costs its own job, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.end_to_end.client import Client
from tests.end_to_end.conftest import SHORT_LEASE, Start

BROKEN = '''
from ml_service.model import LoadContext, Model, Payload

class Broken(Model):
    """Cannot be loaded."""

    name = "broken"

    class Input(Payload):
        text: str

    class Output(Payload):
        text: str

    def load(self, context: LoadContext) -> None:
        raise RuntimeError("the weights are missing")

    def predict(self, batch, run):
        return []
'''


@pytest.fixture(scope="module")
async def client(start: Start, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    folder = tmp_path_factory.mktemp("models")
    (folder / "broken.py").write_text(BROKEN)
    (folder / "nonsense.py").write_text("class Nonsense(:")
    async with start(env={**SHORT_LEASE, "MODELS": "echo,broken", "MODELS_DIR": str(folder)}) as (_, client):
        yield client


async def test_a_model_that_raises_fails_that_job_alone(client: Client) -> None:
    bad = await client.submit("echo", {"value": 1, "behave": "raise"})
    good = await client.submit("echo", {"value": 2})
    assert (await client.finished(bad))["error"]["code"] == "model_error"
    assert (await client.finished(good))["result"] == {"value": 2}


async def test_nan_is_an_error_not_a_result(client: Client) -> None:
    job = await client.run("echo", {"value": 1, "behave": "nan"})
    assert job["state"] == "failed"
    assert job["error"]["code"] == "model_error"


async def test_a_retryable_error_is_tried_until_the_budget_is_used_up(client: Client) -> None:
    job = await client.run("echo", {"value": 1, "behave": "raise_retryable"}, max_attempts=2)
    assert (job["state"], job["charged"], job["attempt"]) == ("failed", 2, 2)
    assert [one["attempt"] for one in job["error"]["attempts"]] == [1, 2]


async def test_a_segfault_fails_its_job_with_worker_lost_and_charges_no_neighbour(client: Client) -> None:
    """Rule 10: the first death charges nobody; after that the job runs alone, and only it pays."""
    neighbours = [await client.submit("echo", {"value": number}) for number in range(20)]
    bad = await client.submit("echo", {"value": 1, "behave": "segfault"}, max_attempts=2)
    neighbours += [await client.submit("echo", {"value": number}) for number in range(20, 40)]
    failed = await client.finished(bad)
    assert (failed["state"], failed["error"]["code"], failed["charged"]) == ("failed", "worker_lost", 2)
    assert "SIGSEGV" in failed["error"]["message"]
    for number, job_id in enumerate(neighbours):
        job = await client.finished(job_id)
        assert (job["state"], job["charged"], job["result"]) == ("succeeded", 0, {"value": number})
    workers = (await client.http.get("/v1/workers")).json()["workers"]
    assert len(workers) == 1, "the worker itself lived on"


async def test_a_hanging_model_is_stopped_at_its_time_limit(client: Client) -> None:
    job = await client.run("echo", {"value": 1, "behave": "hang"}, execution_timeout=2)
    assert (job["state"], job["error"]["code"]) == ("failed", "execution_timeout")
    assert (await client.result("echo", {"value": "served again"})) == {"value": "served again"}


async def test_holding_the_gil_loses_no_lease_and_runs_once(client: Client) -> None:
    """Three leases long; the heartbeat is the parent's."""
    job = await client.run("echo", {"value": 1, "seconds": 12, "behave": "hold_gil"})
    assert (job["state"], job["attempt"], job["charged"]) == ("succeeded", 1, 0)


async def test_a_running_job_is_cancelled_once_its_work_has_stopped(client: Client) -> None:
    job_id = await client.submit("echo", {"value": 1, "seconds": 300})
    await client.reaches(job_id, "running")
    response = await client.http.post(f"/v1/jobs/{job_id}/cancel")
    assert response.status_code == 202
    job = await client.finished(job_id)
    assert (job["state"], job["result"], job["error"]) == ("cancelled", None, None)


async def test_a_model_that_cannot_be_loaded_shows_and_the_others_serve(client: Client) -> None:
    async with asyncio.timeout(30):
        while (model := (await client.http.get("/readyz")).json()["checks"]["models"]["broken"])["state"] != "failed":
            await asyncio.sleep(0.1)
    assert "the weights are missing" in model["error"]
    assert (await client.http.get("/readyz")).json()["status"] == "degraded"
    catalogue = (await client.http.get("/v1/models/broken")).json()
    assert catalogue["versions"][0]["state"] == "failed"
    assert await client.result("echo", {"value": 1}) == {"value": 1}


async def test_jobs_for_a_model_that_cannot_be_loaded_are_accepted_and_wait(client: Client) -> None:
    job_id = await client.submit("broken", {"text": "x"})
    assert (await client.get(job_id))["state"] == "queued"
    assert (await client.http.post(f"/v1/jobs/{job_id}/cancel")).status_code == 200
