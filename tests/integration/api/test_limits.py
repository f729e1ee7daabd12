"""What a model says of its jobs beside what the settings say: defaults, and caps of what may be asked for."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from api_service.settings import ApiSettings
from shared.database.catalogue import register_model
from shared.database.claims import claim
from shared.database.pool import Database
from tests.integration.api.conftest import ANYTHING, serving
from tests.integration.api.worker import HandWorker

# What the settings say: a default of 1,000 and a cap of 2,000 for the times, of 3 and 25 for attempts.
CAPPED = replace(ANYTHING, name="capped", max_queue_ttl=60.0, max_execution_timeout=30.0, max_max_attempts=2)
GENEROUS = replace(
    ANYTHING, name="generous", max_queue_ttl=1e6, max_execution_timeout=1e6, max_max_attempts=999, queue_ttl=1e5
)
KEPT = replace(ANYTHING, name="kept", result_retention=500.0, row_retention=5000.0)
HASTY = replace(ANYTHING, name="hasty", row_retention=50.0)
ASKED = {"queue_ttl": 61, "execution_timeout": 31, "max_attempts": 3}


@pytest.fixture
async def client(database_url: str, db: Database, settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    for model in (CAPPED, GENEROUS, KEPT, HASTY):
        await register_model(db, model)
    own = settings.model_copy(
        update={
            "default_queue_ttl": 1000.0,
            "max_queue_ttl": 2000.0,
            "default_execution_timeout": 1000.0,
            "max_execution_timeout": 2000.0,
        }
    )
    async with serving(database_url, own) as one, httpx.AsyncClient(base_url=one.url, timeout=20) as client:
        yield client


async def submit(client: httpx.AsyncClient, model: str, **asked: float) -> Any:
    answer = await client.post("/v1/jobs", json={"model": model, "input": 1, **asked})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def refusal(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, str]:
    """-> what is wrong, by where."""
    answer = await client.post(path, json=body)
    assert answer.status_code == 422, answer.text
    return {fault["path"]: fault["message"] for fault in answer.json()["errors"]}


async def timeout_of(db: Database, worker: HandWorker, job: Any) -> float:
    """As the worker is told."""
    (claimed,) = await claim(db, worker.id, job["model"], job["version"], [UUID(job["id"])])
    return claimed.execution_timeout


def seconds(job: Any, since: str, until: str) -> float:
    return (datetime.fromisoformat(job[until]) - datetime.fromisoformat(job[since])).total_seconds()


async def test_more_than_the_model_s_caps_is_refused_with_what_is_allowed(client: httpx.AsyncClient) -> None:
    faults = await refusal(client, "/v1/jobs", {"model": "capped", "input": 1, **ASKED})

    assert faults == {"/queue_ttl": "at most 60", "/execution_timeout": "at most 30", "/max_attempts": "at most 2"}


async def test_in_a_batch_each_job_has_its_own_model_s_caps(client: httpx.AsyncClient) -> None:
    jobs = [{"model": model, "input": 1, **ASKED} for model in ("generous", "capped")]

    faults = await refusal(client, "/v1/jobs/batch", {"jobs": jobs})

    assert set(faults) == {"/jobs/1/queue_ttl", "/jobs/1/execution_timeout", "/jobs/1/max_attempts"}


async def test_as_much_as_the_model_s_caps_is_granted(
    client: httpx.AsyncClient, db: Database, worker: HandWorker
) -> None:
    job = await submit(client, "capped", queue_ttl=60, execution_timeout=30, max_attempts=2)

    assert seconds(job, "created_at", "queue_deadline") == 60
    assert (await timeout_of(db, worker, job), job["max_attempts"]) == (30, 2)


async def test_the_system_s_caps_hold_whatever_the_model_allows(client: httpx.AsyncClient) -> None:
    asked = {"queue_ttl": 2001, "execution_timeout": 2001, "max_attempts": 26}

    faults = await refusal(client, "/v1/jobs", {"model": "generous", "input": 1, **asked})

    assert faults == {"/queue_ttl": "at most 2000", "/execution_timeout": "at most 2000", "/max_attempts": "at most 25"}


async def test_a_cap_of_many_seconds_is_written_out(any_client: httpx.AsyncClient) -> None:
    faults = await refusal(any_client, "/v1/jobs", {"model": "anything", "input": 1, "queue_ttl": 1e9})

    assert faults == {"/queue_ttl": "at most 2592000"}


async def test_a_model_s_default_is_brought_down_to_the_system_s_cap(client: httpx.AsyncClient) -> None:
    assert seconds(await submit(client, "generous"), "created_at", "queue_deadline") == 2000


async def test_the_system_s_defaults_are_brought_down_to_the_model_s_caps(
    client: httpx.AsyncClient, db: Database, worker: HandWorker
) -> None:
    job = await submit(client, "capped")

    assert seconds(job, "created_at", "queue_deadline") == 60
    assert (await timeout_of(db, worker, job), job["max_attempts"]) == (30, 2)


@pytest.mark.parametrize(("ended_well", "kept"), [(True, 500), (False, 5000)])
async def test_a_job_is_kept_as_long_as_its_model_says(
    client: httpx.AsyncClient, worker: HandWorker, *, ended_well: bool, kept: float
) -> None:
    """A result by its own time, a job without one by the job's."""
    job = await submit(client, "kept")
    if ended_well:
        await worker.succeed(job["id"], await worker.begin(job["id"], job["model"], job["version"]), "1")
    else:
        await client.post(job["urls"]["cancel"])

    ended = (await client.get(job["urls"]["self"])).json()

    assert seconds(ended, "finished_at", "purge_at") == pytest.approx(kept, abs=10)  # two looks at the clock


async def test_a_result_goes_with_its_job_at_the_latest(client: httpx.AsyncClient, worker: HandWorker) -> None:
    job = await submit(client, "hasty")
    await worker.succeed(job["id"], await worker.begin(job["id"], job["model"], job["version"]), "1")

    ended = (await client.get(job["urls"]["self"])).json()

    assert seconds(ended, "finished_at", "purge_at") == pytest.approx(50, abs=10)


async def test_no_submission_says_how_long_it_is_kept(client: httpx.AsyncClient) -> None:
    asked = {"result_retention": 1, "row_retention": 1}

    faults = await refusal(client, "/v1/jobs", {"model": "kept", "input": 1, **asked})

    assert faults == {"/result_retention": "unknown field", "/row_retention": "unknown field"}
