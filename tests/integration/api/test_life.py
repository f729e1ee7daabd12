"""The API's life: what it does when clients, the database or its notifications go away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api_service import listening, status_cache, waiting
from api_service.runtime import Runtime
from api_service.server import Server
from api_service.settings import ApiSettings
from deploy.local.postgres import Postgres
from shared.database.migrate import upgrade
from shared.database.pool import Database
from tests.integration.api.conftest import Submit, models_known, serving
from tests.integration.api.worker import HandWorker


def runtime_of(one: Server) -> Runtime:
    runtime = one.lifespan.state["runtime"]
    assert isinstance(runtime, Runtime)
    return runtime


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """For what tells nobody when it comes to hold."""
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.01)


async def clients_wait(one: Server, clients: int) -> None:
    """Until this many clients wait."""

    async def all_wait() -> bool:
        return runtime_of(one).watcher.waiting == clients

    await until(all_wait)


@asynccontextmanager
async def asyncpg_connection(database_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


LISTENING = "FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"


async def listens(connection: Any) -> bool:
    return await connection.fetchval(f"SELECT pid {LISTENING}") is not None


async def execute(database_url: str, statement: str) -> None:
    """Behind the API's back."""
    async with asyncpg_connection(database_url) as connection:
        await connection.execute(statement)


async def test_a_client_that_goes_away_waits_no_longer(one: Server, client: httpx.AsyncClient, submit: Submit) -> None:
    url = (await submit())["urls"]["self"]
    polling = asyncio.create_task(client.get(url, params={"wait": 60}))
    body = {"model": "anything", "input": 1}
    submitting = asyncio.create_task(client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}))
    await clients_wait(one, 2)

    polling.cancel()
    submitting.cancel()

    await clients_wait(one, 0)


async def test_shutdown_answers_all_who_wait_at_once(one: Server, client: httpx.AsyncClient, submit: Submit) -> None:
    url = (await submit())["urls"]["self"]
    tag = (await client.get(url)).headers["etag"]
    polling = [asyncio.create_task(client.get(url, params={"wait": 60})) for _ in range(20)]
    unchanged = asyncio.create_task(client.get(url, params={"wait": 60}, headers={"If-None-Match": tag}))
    await clients_wait(one, 21)

    one.should_exit = True

    async with asyncio.timeout(5):
        assert {answer.json()["state"] for answer in await asyncio.gather(*polling)} == {"queued"}
        assert (await unchanged).status_code == 304


async def test_a_thousand_clients_may_wait(one: Server, submit: Submit, worker: HandWorker) -> None:
    job = await submit()
    url = httpx.URL(one.url)
    request = f"GET {job['urls']['self']}?wait=60 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()

    async def ask() -> bytes:
        """Without httpx, whose pool takes its time with a thousand connections."""
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    answers = [asyncio.create_task(ask()) for _ in range(1000)]
    await clients_wait(one, 1000)
    await worker.succeed(job["id"], await worker.begin(job["id"]), "1")

    async with asyncio.timeout(20):
        assert all(b'"state":"succeeded"' in answer for answer in await asyncio.gather(*answers))


async def test_a_change_that_nobody_was_told_of_is_seen_within_a_second(
    client: httpx.AsyncClient, submit: Submit, database_url: str
) -> None:
    url = (await submit())["urls"]["self"]
    polling = asyncio.create_task(client.get(url, params={"wait": 60}))
    polled = (await client.get(url)).json()["state"]
    await execute(database_url, "UPDATE jobs SET state = 'cancelled', finished_at = now(), revision = revision + 1")

    async with asyncio.timeout(5):
        assert (await polling).json()["state"] == "cancelled"
        while polled != "cancelled":
            polled = (await client.get(url)).json()["state"]


async def test_what_a_client_has_seen_elsewhere_is_not_undone_here(
    client: httpx.AsyncClient, submit: Submit, database_url: str
) -> None:
    """The cache still holds the old row, and nobody has told this process of the new one."""
    url = (await submit())["urls"]["self"]
    await client.get(url)
    await execute(database_url, "UPDATE jobs SET progress = '{\"fraction\": 0.5}', revision = 2")
    named = await client.get(url, headers={"If-None-Match": 'W/"2"'})
    await execute(database_url, "UPDATE jobs SET state = 'cancelled', finished_at = now(), revision = 3")
    listed = (await client.get("/v1/jobs")).json()["jobs"][0]
    after = (await client.get(url)).json()

    assert named.status_code == 304
    assert listed["state"] == after["state"] == "cancelled"


@pytest.fixture
async def patient(
    database_url: str, db: Database, settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """Of an API that looks at nothing of its own accord: what it learns, it is told."""
    monkeypatch.setattr(waiting, "INTERVAL", 3600.0)
    monkeypatch.setattr(status_cache, "LIFETIME", 3600.0)
    monkeypatch.setattr(listening, "CHECK_EVERY", 3600.0)
    async with (
        serving(database_url, settings) as one,
        httpx.AsyncClient(base_url=one.url, timeout=20) as client,
        asyncpg_connection(database_url) as connection,
    ):
        await until(lambda: listens(connection))
        yield client


async def test_a_notification_is_enough(patient: httpx.AsyncClient, worker: HandWorker) -> None:
    posted = await patient.post("/v1/jobs", json={"model": "reverse", "input": {"text": "abc"}})
    job = posted.json()
    polling = asyncio.create_task(patient.get(job["urls"]["self"], params={"wait": 60}))
    await patient.get(job["urls"]["self"])  # is in the cache now
    await worker.succeed(job["id"], await worker.begin(job["id"]), "1")

    async def told() -> bool:
        state: str = (await patient.get(job["urls"]["self"])).json()["state"]
        return state == "succeeded"

    async with asyncio.timeout(5):
        assert (await polling).json()["state"] == "succeeded"
        await until(told)


async def test_a_listening_connection_that_is_cut_is_made_anew_and_all_is_read_anew(
    patient: httpx.AsyncClient, database_url: str
) -> None:
    url = (await patient.post("/v1/jobs", json={"model": "anything", "input": 1})).json()["urls"]["self"]
    polling = asyncio.create_task(patient.get(url, params={"wait": 60}))
    await patient.get(url)
    async with asyncpg_connection(database_url) as connection:
        await connection.execute("UPDATE jobs SET state = 'cancelled', finished_at = now(), revision = 2")
        assert await connection.fetchval(f"SELECT pg_terminate_backend(pid) {LISTENING}")

    async def told() -> bool:
        state: str = (await patient.get(url)).json()["state"]
        return state == "cancelled"

    async with asyncio.timeout(10):
        assert (await polling).json()["state"] == "cancelled"
        await until(told)


async def test_a_database_that_goes_away_is_503_until_it_is_back(tmp_path: Path, settings: ApiSettings) -> None:
    postgres = Postgres(tmp_path / "data", durable=False)
    url = postgres.url()
    body = {"model": "anything", "input": 1}
    with postgres.running():
        postgres.create_database()
        upgrade(url)
        async with models_known(url):
            pass
        here = serving(url, settings)
        one = await here.__aenter__()
        client = httpx.AsyncClient(base_url=one.url, timeout=20)
        job = (await client.post("/v1/jobs", json=body)).json()
    answers = {
        "poll": await client.get("/v1/jobs/01990000-0000-7000-8000-000000000000"),
        "submit": await client.post("/v1/jobs", json=body),
        "list": await client.get("/v1/jobs"),
        "workers": await client.get("/v1/workers"),
    }
    ready, alive = await client.get("/readyz"), await client.get("/healthz")
    with postgres.running():

        async def is_ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await until(is_ready)
        again = await client.get(job["urls"]["self"])
        resubmitted = await client.post("/v1/jobs", json=body)
        await client.aclose()
        await here.__aexit__(None, None, None)

    for answer in answers.values():
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert "socket" not in answer.text
    assert (ready.status_code, ready.json()["status"], alive.status_code) == (503, "unavailable", 200)
    assert (again.json()["state"], resubmitted.status_code) == ("queued", 202)
