"""GET …/result and DELETE, for results in their rows and in the blob store, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import pytest
from structlog.testing import capture_logs

from api_service import blob_removal as removal_module
from api_service import content_response as response_module
from api_service import server as server_module
from api_service.server import Server
from api_service.settings import ApiSettings
from shared.blob_keys import new_key
from shared.database.entries import Ending
from shared.database.pool import Database
from shared.database.retention import purge_results, purge_rows
from shared.database.settlement import Settlement, settle
from shared.errors import BlobsUnavailable
from tests.contract.database.stage import until
from tests.integration.api.conftest import serving
from tests.integration.api.test_life import execute, runtime_of
from tests.integration.api.worker import HandWorker
from tests.unsteady_blobs import UnsteadyBlobs

MIB = 1024 * 1024
LARGE = b'"' + bytes(48 + n % 75 if n % 75 != 44 else 48 for n in range(3_000_000)) + b'"'
SMALL = b'{"text": "cba"}'


@dataclass(frozen=True)
class Place:
    """An API with a blob store, and jobs that have succeeded in it."""

    server: Server
    client: httpx.AsyncClient
    db: Database
    blobs: UnsteadyBlobs
    worker: HandWorker

    async def submit(self, **fields: Any) -> dict[str, Any]:
        answer = await self.client.post("/v1/jobs", json={"model": "reverse", "input": {"text": "abc"}, **fields})
        job: dict[str, Any] = answer.json()
        return job

    async def small(self, result: bytes = SMALL) -> dict[str, Any]:
        job = await self.submit()
        await self.worker.succeed(job["id"], await self.worker.begin(job["id"]), result.decode())
        return job

    async def large(self, content: bytes = LARGE, **fields: Any) -> dict[str, Any]:
        job = await self.submit(**fields)
        await self.settle_large(job, await self.worker.begin(job["id"]), content)
        return job

    async def settle_large(self, job: dict[str, Any], attempt: int, content: bytes = LARGE) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield content

        key = new_key(UUID(job["id"]), attempt)
        written = await self.blobs.create(key, pieces())
        settlement = Settlement(
            *(UUID(job["id"]), attempt, Ending.SUCCEEDED),
            result_key=key,
            result_size=written.size,
            result_sha256=written.sha256,
        )
        await settle(self.db, [settlement])

    async def files(self) -> set[str]:
        return {key async for keys in self.blobs.older_than(timedelta(seconds=-60)) for key in keys}


@pytest.fixture
async def place(
    database_url: str, db: Database, settings: ApiSettings, worker: HandWorker, tmp_path: Path
) -> AsyncIterator[Place]:
    url = str(tmp_path / "blobs")
    async with (
        serving(database_url, settings.model_copy(update={"blob_url": url})) as one,
        httpx.AsyncClient(base_url=one.url, timeout=20) as client,
    ):
        blobs = UnsteadyBlobs(url)
        object.__setattr__(runtime_of(one), "blobs", blobs)
        yield Place(one, client, db, blobs, worker)


@pytest.fixture(params=["in its row", "in the store"])
async def either(request: pytest.FixtureRequest, place: Place) -> tuple[str, bytes]:
    """Where a result can be fetched, and what it is."""
    job = await (place.small() if request.param == "in its row" else place.large())
    return job["urls"]["result"], SMALL if request.param == "in its row" else LARGE


# --- what stands where


async def test_a_large_result_is_pointed_at_wherever_its_job_is_shown(place: Place) -> None:
    """`result` is null and `result_url` says where it is."""
    job = await place.submit()
    attempt = await place.worker.begin(job["id"])
    waiting = asyncio.create_task(place.client.get(job["urls"]["self"], params={"wait": 20}))
    await until(lambda: waits(place))
    await place.settle_large(job, attempt)
    shown = [(await waiting).json(), (await place.client.get(job["urls"]["self"])).json()]
    listed = (await place.client.get("/v1/jobs")).json()["jobs"][0]

    assert [(one["state"], one["result"], one["result_url"]) for one in shown] == [
        ("succeeded", None, job["urls"]["result"])
    ] * 2
    assert (listed["result_url"], "result" in listed) == (job["urls"]["result"], False)


async def waits(place: Place) -> bool:
    return runtime_of(place.server).watcher.waiting == 1


async def test_a_result_in_its_row_has_no_other_place(place: Place) -> None:
    job = await place.small()
    shown = (await place.client.get(job["urls"]["self"])).json()
    assert (shown["result"], shown["result_url"]) == ({"text": "cba"}, None)


# --- fetching


async def test_all_of_it(place: Place, either: tuple[str, bytes]) -> None:
    url, content = either
    answer = await place.client.get(url)
    assert (answer.status_code, answer.content) == (200, content)
    headers = answer.headers
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(content))
    assert headers["etag"] == f'"{sha256(content).hexdigest()}"'
    assert headers["accept-ranges"] == "bytes"
    assert headers["cache-control"] == "private, no-cache"
    assert headers["x-content-type-options"] == "nosniff"
    assert "content-disposition" not in headers


@pytest.mark.parametrize("asked", ["0-0", "3-7", "5-", "-4", "0-99999999999"])
async def test_a_part_of_it(place: Place, either: tuple[str, bytes], asked: str) -> None:
    url, content = either
    first, _, last = asked.partition("-")
    begin = int(first) if first else len(content) - int(last)
    end = min(int(last) + 1, len(content)) if first and last else len(content)

    answer = await place.client.get(url, headers={"Range": f"bytes={asked}"})

    assert (answer.status_code, answer.content) == (206, content[begin:end])
    assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(content)}"
    assert answer.headers["content-length"] == str(end - begin)
    assert answer.headers["etag"] == f'"{sha256(content).hexdigest()}"'


async def test_a_part_behind_the_end_cannot_be_had(place: Place, either: tuple[str, bytes]) -> None:
    url, content = either
    answer = await place.client.get(url, headers={"Range": f"bytes={len(content)}-"})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(content)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=7-3", "lines=1-2", "nonsense"])
async def test_other_ranges_are_ignored(place: Place, either: tuple[str, bytes], asked: str) -> None:
    url, content = either
    answer = await place.client.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, content)


async def test_conditions_are_heeded(place: Place, either: tuple[str, bytes]) -> None:
    """RFC 9110, section 13."""
    url, content = either
    tag = f'"{sha256(content).hexdigest()}"'

    async def asks(**headers: str) -> int:
        answer = await place.client.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
        assert answer.headers.get("etag") == (None if answer.status_code == 412 else tag)
        assert answer.content == {200: content, 206: content[:1], 304: b""}.get(answer.status_code, answer.content)
        return answer.status_code

    assert await asks(If_None_Match=tag) == 304
    assert await asks(If_None_Match=f'"x", W/{tag}') == 304
    assert await asks(If_None_Match="*") == 304
    assert await asks(If_None_Match='"x"') == 200
    assert await asks(If_None_Match=tag, Range="bytes=0-0") == 304
    assert await asks(If_Range=tag, Range="bytes=0-0") == 206
    assert await asks(If_Range='"x"', Range="bytes=0-0") == 200
    assert await asks(If_Range=f"W/{tag}", Range="bytes=0-0") == 200
    assert await asks(If_Range="Wed, 21 Oct 2015 07:28:00 GMT", Range="bytes=0-0") == 200
    assert await asks(If_Match=tag) == 200
    assert await asks(If_Match=f'"x", {tag}', Range="bytes=0-0") == 206
    assert await asks(If_Match="*") == 200
    assert await asks(If_Match='"x"') == 412
    assert await asks(If_Match=f"W/{tag}") == 412


async def test_a_download_that_broke_off_goes_on_where_it_was(place: Place) -> None:
    job = await place.large()
    async with place.client.stream("GET", job["urls"]["result"]) as answer:
        tag = answer.headers["etag"]
        begun = await anext(answer.aiter_raw())
    headers = {"Range": f"bytes={len(begun)}-", "If-Range": tag}
    rest = await place.client.get(job["urls"]["result"], headers=headers)
    assert rest.status_code == 206
    assert begun + rest.content == LARGE


# --- what goes wrong


async def test_a_store_that_is_away_is_said_with_when_to_try_again(place: Place) -> None:
    job = await place.large()
    place.blobs.away = True
    answer = await place.client.get(job["urls"]["result"])
    assert (answer.status_code, answer.json()["code"]) == (503, "blobs_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert "away" not in answer.text
    assert (await place.client.get(job["urls"]["self"])).status_code == 200
    place.blobs.away = False
    assert (await place.client.get(job["urls"]["result"])).status_code == 200


async def test_a_store_that_hangs_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_module, "PATIENCE", 0.05)
    job = await place.large()
    released = asyncio.Event()

    async def hangs(*_: Any) -> AsyncIterator[bytes]:
        try:
            await released.wait()
            yield b""
        finally:
            await released.wait()  # nor can its file be closed

    monkeypatch.setattr(place.blobs, "read", hangs)
    assert (await place.client.get(job["urls"]["result"])).status_code == 503
    released.set()


async def test_a_file_that_is_lost_is_gone_and_told_to_the_operator(place: Place) -> None:
    """410, not 503: asking again would not bring it back."""
    job = await place.large()
    await place.blobs.delete(await place.files())
    with capture_logs() as logs:
        answer = await place.client.get(job["urls"]["result"])
    assert (answer.status_code, answer.json()["code"]) == (410, "result_gone")
    assert [entry["job_id"] for entry in logs if entry["log_level"] == "error"] == [job["id"]]


async def test_a_result_that_is_purged_while_it_is_asked_for_is_no_error(
    place: Place, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row, commit, file: what was just read may be gone by now."""
    job = await place.large()
    key = (await place.files()).pop()
    runtime = runtime_of(place.server)
    await runtime.statuses.get("local", UUID(job["id"]))
    monkeypatch.setattr(runtime.statuses, "changed", lambda _: None)  # it has not heard of it yet
    await execute(database_url, "UPDATE jobs SET result_key = NULL")
    await place.blobs.delete([key])
    with capture_logs() as logs:
        answer = await place.client.get(job["urls"]["result"])
    assert (answer.status_code, answer.json()["code"]) == (410, "result_gone")
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


async def test_what_breaks_off_in_the_middle_is_seen_to_be_cut(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await place.large()

    async def breaks(*_: Any) -> AsyncIterator[bytes]:
        yield LARGE[:1000]
        raise BlobsUnavailable("away")

    monkeypatch.setattr(place.blobs, "read", breaks)
    with pytest.raises(httpx.RemoteProtocolError, match="received 1000 bytes, expected 3000002"):
        await place.client.get(job["urls"]["result"])


async def open_files(place: Place) -> int:
    return sum("/blobs/" in file.path for file in psutil.Process().open_files())


def ask(place: Place, url: str) -> socket.socket:
    """A client that asks, with room for next to nothing, and does not read."""
    address = place.server.servers[0].sockets[0].getsockname()[:2]
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(address)
    client.sendall(f"GET {url} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    client.settimeout(0)
    return client


async def test_who_does_not_read_holds_next_to_nothing_and_is_cut_off(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file nor the whole result stays in the server for them."""
    monkeypatch.setattr(server_module, "STALL_TIMEOUT", 0.5)
    job = await place.large(LARGE * 8)
    pieces = 0
    read = place.blobs.read

    async def counted(*given: Any) -> AsyncIterator[bytes]:
        nonlocal pieces
        async with aclosing(read(*given)) as given_out:
            async for piece in given_out:
                pieces += 1
                yield piece

    monkeypatch.setattr(place.blobs, "read", counted)
    connections = place.server.server_state.connections
    others = len(connections)
    with ask(place, job["urls"]["result"]) as client:

        async def begun() -> bool:
            return pieces > 0

        await until(begun)

        async def ended() -> bool:
            return len(connections) == others

        await until(ended, 20)
        received = 0
        try:
            while data := await asyncio.get_running_loop().sock_recv(client, MIB):
                received += len(data)
        except ConnectionResetError:
            pass
    assert received < len(LARGE)
    assert pieces * 256 * 1024 < 8 * MIB

    async def closed() -> bool:
        return await open_files(place) == 0

    await until(closed)


async def test_who_reads_slowly_gets_all_of_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "STALL_TIMEOUT", 5.0)
    job = await place.large()
    with ask(place, job["urls"]["result"]) as client:
        received = bytearray()
        while LARGE[-200:] not in received[-400:]:
            received += await asyncio.get_running_loop().sock_recv(client, 50_000)
            await asyncio.sleep(0.001)
    assert received.endswith(LARGE)


async def test_a_client_that_goes_away_lets_go_of_the_file(place: Place) -> None:
    job = await place.large(LARGE * 8)
    async with place.client.stream("GET", job["urls"]["result"]) as answer:
        await anext(answer.aiter_raw())

    async def closed() -> bool:
        return await open_files(place) == 0

    await until(closed)


# --- deleting


async def test_a_finished_job_is_deleted_with_its_blob(place: Place) -> None:
    """204, and 404 from then on."""
    job = await place.large()
    url = job["urls"]["self"]
    assert (await place.client.get(url)).status_code == 200
    assert len(await place.files()) == 1

    answer = await place.client.delete(url)

    assert (answer.status_code, answer.content) == (204, b"")
    for call in ("", "/result", "/events"):
        assert (await place.client.get(url + call)).status_code == 404
    assert (await place.client.delete(url)).status_code == 404
    assert await place.files() == set()


async def test_what_has_not_finished_is_not_deleted(place: Place) -> None:
    queued, running = await place.submit(), await place.submit()
    await place.worker.begin(running["id"])
    for job in (queued, running):
        answer = await place.client.delete(job["urls"]["self"])
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
        assert (await place.client.get(job["urls"]["self"])).status_code == 200


async def test_what_is_no_job_is_not_deleted(place: Place) -> None:
    for job_id in ("nonsense", "01990000-0000-7000-8000-000000000000"):
        answer = await place.client.delete(f"/v1/jobs/{job_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_job")


async def test_a_job_is_deleted_though_the_store_is_away(place: Place) -> None:
    """Its file is an orphan then, and found by the sweep."""
    job = await place.large()
    place.blobs.away = True
    assert (await place.client.delete(job["urls"]["self"])).status_code == 204
    assert (await place.client.get(job["urls"]["self"])).status_code == 404
    assert len(await place.files()) == 1


async def test_a_job_is_deleted_though_the_store_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal_module, "PATIENCE", 0.05)
    job = await place.large()

    async def hangs(_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(place.blobs, "delete", hangs)
    assert (await place.client.delete(job["urls"]["self"])).status_code == 204


async def test_other_processes_hear_of_a_deletion(place: Place, database_url: str, settings: ApiSettings) -> None:
    """Through the notification, before what they remember is a second old."""
    job = await place.small()
    async with (
        serving(database_url, settings) as another,
        httpx.AsyncClient(base_url=another.url, timeout=20) as client,
    ):
        assert (await client.get(job["urls"]["self"])).status_code == 200
        await place.client.delete(job["urls"]["self"])

        async def gone() -> bool:
            return (await client.get(job["urls"]["self"])).status_code == 404

        await until(gone)


# --- retention, as a client sees it


@asynccontextmanager
async def short_retention(place: Place, database_url: str, settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    times = {"result_retention": 0.3, "row_retention": 0.9, "blob_url": str(place.blobs._root)}
    async with (
        serving(database_url, settings.model_copy(update=times)) as one,
        httpx.AsyncClient(base_url=one.url, timeout=20) as client,
    ):
        yield client


async def test_a_result_is_purged_before_its_row(place: Place, database_url: str, settings: ApiSettings) -> None:
    """410 for the result while the job is still there, then 404 for both."""
    async with short_retention(place, database_url, settings) as client:
        other = Place(place.server, client, place.db, place.blobs, place.worker)
        job = await other.large()
        shown = (await client.get(job["urls"]["self"])).json()
        assert shown["purge_at"] is not None

        async def result_gone() -> bool:
            async with place.db.transaction() as tx:
                await purge_results(tx)
            return (await client.get(job["urls"]["result"])).status_code == 410

        await until(result_gone)
        purged = (await client.get(job["urls"]["self"])).json()
        assert (purged["state"], purged["result"], purged["result_url"]) == ("succeeded", None, None)
        assert purged["purge_at"] > shown["purge_at"]

        async def row_gone() -> bool:
            async with place.db.transaction() as tx:
                await purge_rows(tx)
            return (await client.get(job["urls"]["self"])).status_code == 404

        await until(row_gone)
        assert (await client.get(job["urls"]["result"])).status_code == 404
