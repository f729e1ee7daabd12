"""The API's life: what it does when clients, the database or its notifications go away."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import asyncpg
import httpx

from api_service.runtime import Runtime
from api_service.server import Server
from api_service.settings import ApiSettings
from deploy.local.postgres import Postgres
from shared.database.migrate import upgrade
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


async def waiting(one: Server, clients: int) -> None:
    """Until this many clients wait."""

    async def all_wait() -> bool:
        return runtime_of(one).watcher.waiting == clients

    await until(all_wait)


async def execute(database_url: str, statement: str) -> None:
    """Behind the API's back."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(statement)
    await connection.close()


async def test_a_client_that_goes_away_waits_no_longer(one: Server, client: httpx.AsyncClient, submit: Submit) -> None:
    url = (await submit())["urls"]["self"]
    polling = asyncio.create_task(client.get(url, params={"wait": 60}))
    body = {"model": "anything", "input": 1}
    submitting = asyncio.create_task(client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}))
    await waiting(one, 2)

    polling.cancel()
    submitting.cancel()

    await waiting(one, 0)


async def test_shutdown_answers_all_who_wait_at_once(one: Server, client: httpx.AsyncClient, submit: Submit) -> None:
    url = (await submit())["urls"]["self"]
    tag = (await client.get(url)).headers["etag"]
    polling = [asyncio.create_task(client.get(url, params={"wait": 60})) for _ in range(20)]
    unchanged = asyncio.create_task(client.get(url, params={"wait": 60}, headers={"If-None-Match": tag}))
    await waiting(one, 21)

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
    await waiting(one, 1000)
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


async def test_a_listening_connection_that_is_cut_is_made_anew(
    client: httpx.AsyncClient, submit: Submit, worker: HandWorker, database_url: str
) -> None:
    job = await submit()
    listening = "FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    connection = await asyncpg.connect(database_url)

    async def is_there(*but: int) -> bool:
        found = await connection.fetchval(f"SELECT pid {listening}")
        return found is not None and found not in but

    await until(is_there)
    before = await connection.fetchval(f"SELECT pg_terminate_backend(pid), pid {listening}", column=1)
    await until(partial(is_there, before))
    await connection.close()
    await worker.succeed(job["id"], await worker.begin(job["id"]), "1")

    assert (await client.get(job["urls"]["self"], params={"wait": 5})).json()["state"] == "succeeded"


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
