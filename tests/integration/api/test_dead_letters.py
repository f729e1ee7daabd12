"""Dead letters over HTTP: listed, inspected, sent on their way, deleted."""

import base64
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.database.dead_letters import keep_dead_letter
from shared.database.pool import Database
from shared.message import JobMessage
from shared.states import JobState
from tests.integration.api.conftest import Submit
from tests.integration.api.worker import HandWorker

NOWHERE = "/v1/dead-letters/6f0c2f0e-6a3b-5d0f-9a53-0d7c2b9f4e11"


async def kept(db: Database, data: bytes = b"?", queue: str = "reverse", **attributes: str) -> str:
    """-> where it is."""
    letter = uuid4()
    await keep_dead_letter(db, letter, queue, data, attributes, "no JSON")
    return f"/v1/dead-letters/{letter}"


async def kept_of(db: Database, job_id: str, publish_no: int = 1) -> str:
    """One that could not be read when it came, and now can."""
    data, attributes = JobMessage(UUID(job_id), publish_no, "reverse", "inference").encode()
    return await kept(db, data, **attributes)


async def listed(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get("/v1/dead-letters", params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def publish_no(db: Database, job_id: str) -> int:
    async with db._pool.acquire() as connection:
        found: int = await connection.fetchval("SELECT publish_no FROM jobs WHERE id = $1", UUID(job_id))
    return found


async def test_letters_are_listed_page_by_page_without_their_data(client: httpx.AsyncClient, db: Database) -> None:
    assert await listed(client) == {"dead_letters": [], "next_cursor": None}
    urls = [await kept(db, b"\xff\x00", model="reverse") for _ in range(3)]
    first = await listed(client, limit=2)
    second = await listed(client, limit=2, cursor=first["next_cursor"])
    found = first["dead_letters"] + second["dead_letters"]
    assert [f"/v1/dead-letters/{one['id']}" for one in found] == urls[::-1]
    assert second["next_cursor"] is None
    assert found[0].pop("received_at").endswith("Z")
    assert found[0].pop("id")
    assert found[0] == {"queue": "reverse", "reason": "no JSON", "size": 2, "attributes": {"model": "reverse"}}


async def test_a_list_is_narrowed_to_a_queue(client: httpx.AsyncClient, db: Database) -> None:
    await kept(db, queue="reverse")
    url = await kept(db, queue="anything")
    (found,) = (await listed(client, queue="anything"))["dead_letters"]
    assert url.endswith(found["id"])


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"queue": "a\0"}])
async def test_parameters_that_do_not_fit_are_refused(any_client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    answer = await any_client.get("/v1/dead-letters", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "does_not_fit")
    assert [fault["path"] for fault in answer.json()["errors"]] == [f"/query/{name}" for name in query]


@pytest.mark.parametrize(
    ("data", "shown", "encoding"),
    [
        (b'{"v": 2}', '{"v": 2}', "utf-8"),
        ("größer\0".encode(), "größer\0", "utf-8"),
        (b"", "", "utf-8"),
        (b"\xff\x00", base64.b64encode(b"\xff\x00").decode(), "base64"),
    ],
)
async def test_data_is_shown_as_text_where_it_is_text(
    data: bytes, shown: str, encoding: str, client: httpx.AsyncClient, db: Database
) -> None:
    answer = await client.get(await kept(db, data))
    assert answer.status_code == 200
    assert (answer.json()["data"], answer.json()["encoding"], answer.json()["size"]) == (shown, encoding, len(data))


async def test_a_letter_is_deleted_and_then_gone(client: httpx.AsyncClient, db: Database) -> None:
    url, other = await kept(db), await kept(db)
    answer = await client.delete(url)
    assert (answer.status_code, answer.content) == (204, b"")
    for gone in (await client.delete(url), await client.get(url), await client.post(f"{url}/redrive")):
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_dead_letter")
    assert (await client.get(other)).status_code == 200


@pytest.mark.parametrize("url", [NOWHERE, "/v1/dead-letters/x", "/v1/dead-letters/%00"])
async def test_what_is_not_there_is_not_found(url: str, any_client: httpx.AsyncClient) -> None:
    for answer in (
        await any_client.get(url),
        await any_client.delete(url),
        await any_client.post(f"{url}/redrive"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_dead_letter")


async def test_a_letter_that_can_be_read_by_now_is_redriven_once(
    client: httpx.AsyncClient, db: Database, submit: Submit
) -> None:
    job = await submit()
    url = await kept_of(db, job["id"])
    answer = await client.post(f"{url}/redrive")
    assert (answer.status_code, answer.json()["id"], answer.json()["state"]) == (202, job["id"], "queued")
    assert int(answer.headers["retry-after"]) >= 1
    assert await publish_no(db, job["id"]) == 2
    assert (await client.post(f"{url}/redrive")).status_code == 404
    assert (await client.get(url)).status_code == 404


async def test_a_letter_that_still_cannot_be_read_says_why_and_stays(client: httpx.AsyncClient, db: Database) -> None:
    url = await kept(db, b'{"v": 99}')
    answer = await client.post(f"{url}/redrive")
    assert (answer.status_code, answer.json()["code"]) == (409, "unreadable_message")
    assert "version 99" in answer.json()["detail"]
    assert (await client.get(url)).status_code == 200


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.SUCCEEDED, JobState.CANCELLED])
async def test_a_job_that_does_not_wait_is_not_published_and_its_letter_can_be_deleted(
    state: JobState, client: httpx.AsyncClient, db: Database, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    if state is JobState.CANCELLED:
        await client.post(job["urls"]["cancel"])
    else:
        attempt = await worker.begin(job["id"])
        if state is JobState.SUCCEEDED:
            await worker.succeed(job["id"], attempt, "1")
    url = await kept_of(db, job["id"])
    answer = await client.post(f"{url}/redrive")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert f"Job {job['id']} is {state}." in answer.json()["detail"]
    assert await publish_no(db, job["id"]) == 1
    assert (await client.delete(url)).status_code == 204


async def test_a_job_that_is_gone_is_told(client: httpx.AsyncClient, db: Database) -> None:
    answer = await client.post(f"{await kept_of(db, str(uuid4()))}/redrive")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert "There is no job" in answer.json()["detail"]


async def test_a_letter_that_was_overtaken_publishes_nothing(
    client: httpx.AsyncClient, db: Database, submit: Submit
) -> None:
    """Rule 2: the job was published again since; that message is on its way."""
    job = await submit()
    first, again = [await kept_of(db, job["id"]) for _ in range(2)]
    assert (await client.post(f"{first}/redrive")).status_code == 202
    answer = await client.post(f"{again}/redrive")
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert "2, not 1" in answer.json()["detail"]
    assert await publish_no(db, job["id"]) == 2
