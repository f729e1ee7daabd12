"""Lists, results, cancelling, retrying."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, null, update

from shared.database.pool import Database
from shared.database.statement import Statement
from shared.database.tables import jobs as jobs_table
from tests.integration.api.conftest import Submit
from tests.integration.api.worker import HandWorker


async def test_a_list_is_newest_first_without_input_and_result(client: httpx.AsyncClient, submit: Submit) -> None:
    ids = [(await submit())["id"] for _ in range(5)]

    answer = (await client.get("/v1/jobs")).json()

    assert [job["id"] for job in answer["jobs"]] == ids[::-1]
    assert answer["next_cursor"] is None
    assert not {"input", "result"} & answer["jobs"][0].keys()


async def test_pages_follow_each_other_without_gap_or_repetition(client: httpx.AsyncClient, submit: Submit) -> None:
    ids = [(await submit())["id"] for _ in range(5)]
    pages, parameters = [], {"limit": "2"}
    for _ in range(3):
        page = (await client.get("/v1/jobs", params=parameters)).json()
        pages.append([job["id"] for job in page["jobs"]])
        parameters["cursor"] = page["next_cursor"]

    assert pages == [ids[4:2:-1], ids[2:0:-1], ids[:1]]
    assert page["next_cursor"] is None


async def test_a_cursor_stays_right_while_jobs_come_end_and_go(
    client: httpx.AsyncClient, submit: Submit, db: Database
) -> None:
    ids = [(await submit())["id"] for _ in range(6)]
    seen: list[str] = []
    page: dict[str, Any] = {"next_cursor": None}
    while not seen or page["next_cursor"]:
        cursor = {"cursor": page["next_cursor"]} if seen else {}
        page = (await client.get("/v1/jobs", params={"state": "queued", "limit": "2", **cursor})).json()
        seen += [job["id"] for job in page["jobs"]]
        await submit()
        await client.post(f"/v1/jobs/{ids[3]}/cancel")
        await db.fetch(Statement("delete", delete(jobs_table).where(jobs_table.c.id == UUID(seen[-1]))))

    assert seen == [ids[number] for number in (5, 4, 2, 1, 0)]


async def test_filters_add_up(client: httpx.AsyncClient, submit: Submit, worker: HandWorker) -> None:
    first, _, other = await submit(), await submit(), await submit(model="anything", input=1)
    await worker.begin(first["id"])

    async def found(**parameters: str) -> list[str]:
        answer = await client.get("/v1/jobs", params=parameters)
        return [job["id"] for job in answer.json()["jobs"]]

    assert await found(state="running") == [first["id"]]
    assert await found(model="anything") == [other["id"]]
    assert await found(state="running", model="anything") == []
    assert len(await found(task="inference")) == 3
    assert await found(batch_id=first["id"]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "asleep"),
        ("task", "x"),
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "x"),
        ("cursor", "x"),
        ("cursor", "é/\x00"),
        ("cursor", "AAAAAAAAAAAAAAAAAAAAAB"),
        ("cursor", ""),
        ("batch_id", "x"),
        ("model", "\x00"),
    ],
)
async def test_parameters_that_do_not_fit_are_named(any_client: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await any_client.get("/v1/jobs", params={name: value})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["path"] == f"/query/{name}"


async def test_a_result_is_there_once_the_job_has_succeeded(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker, db: Database
) -> None:
    job = await submit()
    url = job["urls"]["result"]

    early = await client.get(url)
    await worker.succeed(job["id"], await worker.begin(job["id"]), '{"text":  "cba"}')
    await client.get(job["urls"]["self"], params={"wait": 5})
    answer = await client.get(url)

    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    assert (answer.status_code, answer.text) == (200, '{"text":  "cba"}')
    assert answer.headers["content-type"] == "application/json"


async def test_a_result_of_null_is_a_result(client: httpx.AsyncClient, submit: Submit, worker: HandWorker) -> None:
    job = await submit()
    await worker.succeed(job["id"], await worker.begin(job["id"]), "null")

    answer = await client.get(job["urls"]["result"])

    assert (answer.status_code, answer.text) == (200, "null")


async def test_a_purged_result_is_gone(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker, db: Database
) -> None:
    job = await submit()
    await worker.succeed(job["id"], await worker.begin(job["id"]), "1")
    await db.fetch(Statement("purge", update(jobs_table).values(result=null())))

    answer = await client.get(job["urls"]["result"])

    assert (answer.status_code, answer.json()["code"]) == (410, "result_gone")


async def test_cancelling_what_waits_is_done_at_once(client: httpx.AsyncClient, submit: Submit) -> None:
    job = await submit()

    first, again = [await client.post(job["urls"]["cancel"]) for _ in range(2)]

    assert (first.status_code, first.json()["state"]) == (200, "cancelled")
    assert first.json()["finished_at"] is not None
    assert again.status_code == 200


async def test_cancelling_what_runs_takes_until_it_has_stopped(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    attempt = await worker.begin(job["id"])

    first, again = [await client.post(job["urls"]["cancel"]) for _ in range(2)]
    await worker.stop(job["id"], attempt)
    after = await client.post(job["urls"]["cancel"])

    assert [(answer.status_code, answer.json()["state"]) for answer in (first, again, after)] == [
        (202, "cancelling"),
        (202, "cancelling"),
        (200, "cancelled"),
    ]
    assert int(first.headers["retry-after"]) >= 1


async def test_what_has_finished_otherwise_cannot_be_cancelled(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    await worker.succeed(job["id"], await worker.begin(job["id"]), "1")

    answer = await client.post(job["urls"]["cancel"])

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


async def test_retry_queues_the_same_job_again(client: httpx.AsyncClient, submit: Submit, worker: HandWorker) -> None:
    job = await submit()
    await worker.fail(job["id"], await worker.begin(job["id"]))

    answer = await client.post(job["urls"]["retry"])

    retried = answer.json()
    assert answer.status_code == 202
    assert (retried["id"], retried["state"], retried["error"]) == (job["id"], "queued", None)
    assert retried["finished_at"] is None
    assert (await client.get(job["urls"]["self"])).json()["state"] == "queued"


async def test_only_what_ended_without_a_result_can_be_retried(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    waiting = await client.post(job["urls"]["retry"])
    await worker.succeed(job["id"], await worker.begin(job["id"]), "1")
    succeeded = await client.post(job["urls"]["retry"])

    assert [answer.status_code for answer in (waiting, succeeded)] == [409, 409]


@pytest.mark.parametrize(("method", "call"), [("GET", "result"), ("POST", "cancel"), ("POST", "retry")])
async def test_calls_for_a_job_that_there_is_not(any_client: httpx.AsyncClient, method: str, call: str) -> None:
    for job_id in ("nonsense", "01990000-0000-7000-8000-000000000000"):
        answer = await any_client.request(method, f"/v1/jobs/{job_id}/{call}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")
