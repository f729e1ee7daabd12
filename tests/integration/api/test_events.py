"""GET /v1/jobs/{id}/events, listed and streamed."""

import asyncio
from typing import Any

import httpx
import pytest

from api_service import event_streams
from api_service.server import Server
from shared.database.pool import Database
from tests.integration.api.conftest import Submit
from tests.integration.api.following import STREAM, following
from tests.integration.api.test_life import execute, runtime_of, until
from tests.integration.api.worker import HandWorker


async def listed(client: httpx.AsyncClient, url: str, **params: Any) -> Any:
    answer = await client.get(url, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def finished(submit: Submit, worker: HandWorker) -> Any:
    job = await submit()
    attempt = await worker.begin(job["id"])
    await worker.say(job["id"], attempt, "a", "b")
    await worker.succeed(job["id"], attempt, "1")
    return job


async def all_gone(one: Server) -> None:
    async def none_left() -> bool:
        return runtime_of(one).event_streams.following == 0

    await until(none_left)


async def test_events_are_listed_in_order(client: httpx.AsyncClient, submit: Submit, worker: HandWorker) -> None:
    job = await finished(submit, worker)
    answer = await client.get(job["urls"]["events"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept, Authorization"
    body = answer.json()
    assert [(event["seq"], event["type"], event["data"]) for event in body["events"]] == [
        (1, "state", {"state": "queued", "attempt": 0}),
        (2, "state", {"state": "running", "attempt": 1}),
        (3, "log", {"level": "info", "message": "a"}),
        (4, "log", {"level": "info", "message": "b"}),
        (5, "state", {"state": "succeeded", "attempt": 1}),
    ]
    assert body["last_seq"] == 5
    assert all(event["at"].endswith("Z") for event in body["events"])


async def test_a_client_pages_on_with_the_last_number(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker, one: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = (await finished(submit, worker))["urls"]["events"]
    object.__setattr__(runtime_of(one), "events_per_answer", 2)
    pages, after = [], 0
    while (page := await listed(client, url, after=after))["events"]:
        pages.append([event["seq"] for event in page["events"]])
        after = page["last_seq"]
    assert pages == [[1, 2], [3, 4], [5]]
    assert await listed(client, url, after=7) == {"events": [], "last_seq": 7}


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "", "2147483648", "9" * 5000, "٣"])
async def test_what_is_no_number_is_refused(client: httpx.AsyncClient, submit: Submit, after: str) -> None:
    url = (await submit())["urls"]["events"]
    answer = await client.get(url, params={"after": after})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "/query/after")
    if after:
        headers = [(b"Accept", b"text/event-stream"), (b"Last-Event-ID", after.encode())]
        answer = await client.get(url, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "/header/last-event-id")


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_job_that_there_is_not_has_no_events(any_client: httpx.AsyncClient, accept: str) -> None:
    for job_id in ("0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55", "x"):
        answer = await any_client.get(f"/v1/jobs/{job_id}/events", headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")


async def test_events_are_streamed_as_they_happen_and_the_end_closes(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker, one: Server
) -> None:
    job = await submit()
    async with following(client, job["urls"]["events"]) as stream:
        assert stream.answer.headers["content-type"] == "text/event-stream"
        assert stream.answer.headers["cache-control"] == "no-store"
        assert stream.answer.headers["x-accel-buffering"] == "no"
        assert await stream.next() == {"retry": "2000"}
        assert await stream.told() == (1, "queued")
        attempt = await worker.begin(job["id"])
        assert await stream.told() == (2, "running")
        await worker.say(job["id"], attempt, "half\nway")
        assert await stream.told() == (3, "half\nway")
        await worker.succeed(job["id"], attempt, "1")
        assert await stream.rest() == [(4, "succeeded")]
    await all_gone(one)


async def test_a_stream_is_resumed_and_the_header_counts_more_than_the_parameter(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    url = (await finished(submit, worker))["urls"]["events"]
    async with following(client, url, after=3) as stream:
        assert await stream.rest() == [(4, "b"), (5, "succeeded")]
    async with following(client, f"{url}?after=4") as stream:
        assert await stream.rest() == [(5, "succeeded")]
    async with following(client, f"{url}?after=4", after=2) as stream:
        assert len(await stream.rest()) == 3
    answer = await client.get(url, headers={**STREAM, "Last-Event-ID": ""})
    assert answer.status_code == 200


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only notifications tell."""
    monkeypatch.setattr(event_streams, "INTERVAL", 3600.0)


@pytest.mark.usefixtures("no_looks")
async def test_a_stream_is_woken_by_what_happens(client: httpx.AsyncClient, submit: Submit, worker: HandWorker) -> None:
    job = await submit()
    async with following(client, job["urls"]["events"]) as stream:
        assert await stream.told() == (1, "queued")
        await worker.begin(job["id"])
        assert await stream.told() == (2, "running")


async def test_a_stream_of_a_job_that_goes_on_waits_where_there_is_nothing_newer(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    async with following(client, job["urls"]["events"], after=1) as stream:
        assert stream.answer.status_code == 200
        await worker.begin(job["id"])
        assert await stream.told() == (2, "running")


async def test_connecting_again_after_the_end_finds_no_content(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    """So that a browser does not connect again and again."""
    url = (await finished(submit, worker))["urls"]["events"]
    answer = await client.get(url, headers={**STREAM, "Last-Event-ID": "5"})
    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_retry_goes_on_with_the_next_number(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker
) -> None:
    job = await submit()
    await worker.fail(job["id"], await worker.begin(job["id"]))
    assert (await client.get(job["urls"]["events"], headers={**STREAM, "Last-Event-ID": "3"})).status_code == 204
    assert (await client.post(job["urls"]["retry"])).status_code == 202
    async with following(client, job["urls"]["events"]) as stream:
        assert [await stream.told() for _ in range(4)] == [(1, "queued"), (2, "running"), (3, "failed"), (4, "queued")]
        await worker.succeed(job["id"], await worker.begin(job["id"]), "1")
        assert await stream.rest() == [(5, "running"), (6, "succeeded")]


async def test_a_silent_stream_shows_that_it_lives(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker, one: Server
) -> None:
    job = await submit()
    runtime_of(one).event_streams._heartbeat = 0.01
    async with following(client, job["urls"]["events"]) as stream:
        assert await stream.told() == (1, "queued")
        waiting = asyncio.create_task(stream.told())

        async def several() -> bool:
            return stream.comments >= 3

        await until(several)
        await worker.begin(job["id"])
        assert await waiting == (2, "running")


async def test_news_that_nobody_was_told_of_come_within_a_second(
    client: httpx.AsyncClient, submit: Submit, database_url: str
) -> None:
    job = await submit()
    async with following(client, job["urls"]["events"]) as stream:
        assert await stream.told() == (1, "queued")
        await execute(
            database_url,
            "WITH said AS (INSERT INTO events SELECT id, 2, 'log', now(), 1, '{\"message\": \"quiet\"}' FROM jobs) "
            "UPDATE jobs SET last_seq = 2",
        )
        assert await stream.told() == (2, "quiet")


async def test_deleting_the_job_ends_its_streams(client: httpx.AsyncClient, submit: Submit, database_url: str) -> None:
    job = await submit()
    async with following(client, job["urls"]["events"]) as stream:
        assert await stream.told() == (1, "queued")
        await execute(database_url, "DELETE FROM jobs")
        assert await stream.rest() == []


async def test_a_client_that_goes_away_is_forgotten(client: httpx.AsyncClient, submit: Submit, one: Server) -> None:
    job = await submit()
    async with following(client, job["urls"]["events"]) as stream:
        await stream.told()
        assert runtime_of(one).event_streams.following == 1
    await all_gone(one)


async def test_shutdown_ends_streams_at_once(client: httpx.AsyncClient, submit: Submit, one: Server) -> None:
    job = await submit()
    async with following(client, job["urls"]["events"]) as stream:
        await stream.told()
        one.should_exit = True
        async with asyncio.timeout(5):
            assert await stream.rest() == []


async def test_a_database_that_is_away_is_said_before_a_stream_has_begun(
    client: httpx.AsyncClient, submit: Submit, one: Server
) -> None:
    job = await submit()
    await runtime_of(one).database.close()
    answer = await client.get(job["urls"]["events"], headers=STREAM)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    await all_gone(one)


async def test_a_client_that_does_not_read_costs_no_reads(
    submit: Submit, worker: HandWorker, one: Server, db: Database
) -> None:
    """What it has not taken stays in the database."""
    job = await submit()
    attempt = await worker.begin(job["id"])
    for _ in range(10):
        await worker.say(job["id"], attempt, *("x" * 2000 for _ in range(1000)))
    url = httpx.URL(one.url)
    reader, writer = await asyncio.open_connection(url.host, url.port, limit=1024)
    head = f"GET {job['urls']['events']} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    writer.write(head.encode())
    streams = runtime_of(one).event_streams

    async def followed() -> bool:
        return streams.following == 1

    await until(followed)
    ((stream,),) = streams._streams.values()
    before = -1
    while before != stream.seq:  # until the buffers on the way are full, which nothing tells
        before = stream.seq
        await asyncio.sleep(0.3)
    assert stream.seq < 8000
    seen = b""
    while b"id: 10002\n" not in seen:
        seen = (seen + await reader.read(1 << 20))[-(1 << 20) :]
    writer.close()
    await writer.wait_closed()
    await all_gone(one)


async def test_two_thousand_may_follow(one: Server, submit: Submit, worker: HandWorker) -> None:
    """All hear of the end, by a few statements."""
    assert event_streams.INTERVAL == 1.0
    job = await submit()
    url = httpx.URL(one.url)
    head = f"GET {job['urls']['events']} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"

    async def follow() -> bytes:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(head.encode())
        heard = await reader.read()
        writer.close()
        await writer.wait_closed()
        return heard

    followers = [asyncio.create_task(follow()) for _ in range(2000)]

    async def all_there() -> bool:
        return runtime_of(one).event_streams.following == 2000

    await until(all_there)
    await worker.succeed(job["id"], await worker.begin(job["id"]), "1")
    async with asyncio.timeout(30):
        assert all(b'"state": "succeeded"' in heard for heard in await asyncio.gather(*followers))
