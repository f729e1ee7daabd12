"""POST /v1/uploads, and submissions that refer to what it has stored."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import pytest

from api_service.server import Server
from api_service.settings import ApiSettings
from api_service.uploads import intake as intake_module
from api_service.uploads import receiving as receiving_module
from api_service.uploads.inputs import Inputs
from shared.database.claims import claim
from shared.database.pool import Database
from tests.integration.api.conftest import serving
from tests.integration.api.test_hostile import connection, post, status
from tests.integration.api.worker import HandWorker

MIB = 1024 * 1024
UNKNOWN = "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55"
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
HEAD = b'Content-Disposition: form-data; name="file"; filename="x"\r\n\r\n'


@pytest.fixture(scope="session")
def settings(settings: ApiSettings) -> ApiSettings:
    return settings.model_copy(update={"upload_limit": 2 * MIB, "inline_input_limit": 64 * 1024})


@pytest.fixture
async def one(database_url: str, db: Database, settings: ApiSettings, tmp_path: Path) -> AsyncIterator[Server]:
    """With a folder of its own for files."""
    async with serving(database_url, settings.model_copy(update={"blob_url": str(tmp_path / "blobs")})) as one:
        yield one


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "blobs" / "uploads"


def names(files: Path) -> set[str]:
    return {path.name for path in files.iterdir()} if files.exists() else set()


async def upload(client: httpx.AsyncClient, content: bytes = b"x") -> str:
    answer = await client.post("/v1/uploads", content=content)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def submitted(client: httpx.AsyncClient, model: str, value: Any, **headers: str) -> httpx.Response:
    return await client.post("/v1/jobs", json={"model": model, "input": value}, headers=headers)


def paths(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [fault["path"] for fault in answer.json()["errors"]]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(100_000)])
async def test_a_file_is_stored_as_it_is(client: httpx.AsyncClient, files: Path, content: bytes) -> None:
    raw = await client.post("/v1/uploads", content=content, headers={"Content-Type": "text/html"})
    form = await client.post("/v1/uploads", files={"any": ("name", content, "text/html")})

    for answer in (raw, form):
        assert answer.status_code == 201, answer.text
        described = answer.json()
        assert (described["size"], described["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert "html" not in described["content_type"]
        assert (files / described["id"]).read_bytes() == content


async def test_a_file_of_the_largest_size_is_taken_and_no_larger(client: httpx.AsyncClient, files: Path) -> None:
    async def chunked(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 1024):
            yield b"x" * 1024

    for body in ({"content": b"x" * 2 * MIB}, {"files": {"f": ("f", b"x" * 2 * MIB)}}, {"content": chunked(2 * MIB)}):
        assert (await client.post("/v1/uploads", **body)).status_code == 201
    stored = names(files)
    for body in ({"content": b"x" * (2 * MIB + 1)}, {"files": {"f": ("f", b"x" * (2 * MIB + 1))}}):
        answer = await client.post("/v1/uploads", **body)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert str(2 * MIB) in answer.json()["detail"]
    assert (await client.post("/v1/uploads", content=chunked(2 * MIB + 1024))).status_code == 413
    assert names(files) == stored


async def test_a_length_that_is_too_large_is_refused_before_anything_is_read(one: Server) -> None:
    head = f"POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**12}\r\nExpect: 100-continue\r\n\r\n"
    async with connection(one) as (reader, writer), asyncio.timeout(10):
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"x", {"Content-Encoding": "gzip"}, 415),
        (b"x", {"Content-Type": "multipart/form-data"}, 400),
        (b"", FORM, 400),
        (b"nonsense", FORM, 400),
        (b"--b\r\n" + HEAD + b"cut off", FORM, 400),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n', FORM, 400),
        ((b"--b\r\n" + HEAD + b"1\r\n") * 2 + b"--b--\r\n", FORM, 400),
        ((b"--b\r\n" + HEAD + b"1\r\n") * 10_000 + b"--b--\r\n", FORM, 400),
        (b"--b\r\n" + b"X: y\r\n" * 200_000, FORM, 400),
        (b"--b\r\n" + b"X" * MIB, FORM, 400),
    ],
    ids=["gzip", "no_boundary", "empty", "nonsense", "cut_off", "no_file", "two", "10000", "headers", "header"],
)
async def test_what_cannot_be_used_leaves_nothing(
    client: httpx.AsyncClient, files: Path, body: bytes, headers: dict[str, str], code: int
) -> None:
    before = psutil.Process().memory_info().rss

    answer = await client.post("/v1/uploads", content=body, headers=headers)

    assert (answer.status_code, answer.headers["Content-Type"]) == (code, "application/problem+json")
    assert names(files) == set()
    assert psutil.Process().memory_info().rss - before < 16 * MIB


async def gone(files: Path) -> None:
    """The server has noticed, and removed what there was."""
    async with asyncio.timeout(10):
        while names(files):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("headers", ["", "Content-Type: multipart/form-data; boundary=b\r\n"], ids=["raw", "form"])
async def test_a_client_that_goes_away_leaves_nothing(one: Server, files: Path, headers: str) -> None:
    async with connection(one) as (_, writer), asyncio.timeout(10):
        body = b"--b\r\n" + HEAD + b"x" * 100_000
        writer.write(post(body, headers, "/v1/uploads").replace(b"Content-Length: ", b"Content-Length: 1"))
        while not names(files):
            await asyncio.sleep(0.01)
    await gone(files)


async def test_a_client_that_falls_silent_is_answered(
    one: Server, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving_module, "IDLE", 0.2)
    async with connection(one) as (reader, writer), asyncio.timeout(10):
        writer.write(post(b"abc", "", "/v1/uploads").replace(b"Content-Length: ", b"Content-Length: 1"))
        answer = await reader.read()
    assert status(answer) == 408
    await gone(files)


async def test_only_so_many_come_at_once(
    one: Server, client: httpx.AsyncClient, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "AT_ONCE", 1)
    async with connection(one) as (_, writer), asyncio.timeout(10):
        writer.write(post(b"abc", "", "/v1/uploads").replace(b"Content-Length: ", b"Content-Length: 1"))
        while not names(files):
            await asyncio.sleep(0.01)
        refused = await client.post("/v1/uploads", content=b"x")
    assert (refused.status_code, refused.json()["code"]) == (503, "uploads_busy")
    assert int(refused.headers["Retry-After"]) > 0
    await gone(files)
    assert await upload(client)


async def test_a_large_file_never_is_in_memory(database_url: str, db: Database, tmp_path: Path) -> None:
    async def content() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(MIB)

    settings = ApiSettings(api_port=0, shutdown_grace=2, blob_url=str(tmp_path))
    async with serving(database_url, settings) as one, httpx.AsyncClient(base_url=one.url, timeout=60) as client:
        await upload(client)
        before = psutil.Process().memory_info().rss
        answer = await client.post("/v1/uploads", content=content())
        assert (answer.status_code, answer.json()["size"]) == (201, 64 * MIB)
        assert psutil.Process().memory_info().rss - before < 24 * MIB


async def test_a_store_that_cannot_be_written_is_not_there_for_now(
    database_url: str, db: Database, tmp_path: Path
) -> None:
    """A full disk, or a bucket that is gone: here, a file where the folder should be."""
    (tmp_path / "blobs").touch()
    settings = ApiSettings(api_port=0, shutdown_grace=2, blob_url=str(tmp_path / "blobs"))
    async with serving(database_url, settings) as one, httpx.AsyncClient(base_url=one.url) as client:
        answer = await client.post("/v1/uploads", content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (503, "blobs_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert str(tmp_path) not in answer.text


async def test_a_job_keeps_what_it_refers_to(client: httpx.AsyncClient, db: Database, worker: HandWorker) -> None:
    two, three = await upload(client), await upload(client)
    value = {"images": [{"data": "x"}, {"upload": two}, {"upload": three}, {"upload": two}]}
    job = (await submitted(client, "pictures", value)).json()
    shown = await client.get(job["urls"]["self"], params={"include": "input"})
    (claimed,) = await claim(db, worker.id, "pictures", 1, [UUID(job["id"])])
    assert shown.json()["input"] == value
    assert {one.id for one in claimed.uploads} == {UUID(two), UUID(three)}


async def test_a_whole_input_is_shown_as_it_was_submitted(
    client: httpx.AsyncClient, db: Database, worker: HandWorker
) -> None:
    image = await upload(client)
    for padding in ("", " " * 100_000):  # checked here, and in another process
        whole = await upload(client, json.dumps({"images": [{"upload": image}]}).encode() + padding.encode())
        answer = await submitted(client, "pictures", {"upload": whole})
        assert answer.status_code == 202, answer.text
        shown = await client.get(answer.headers["Location"], params={"include": "input"})
        (claimed,) = await claim(db, worker.id, "pictures", 1, [UUID(answer.json()["id"])])
        assert shown.json()["input"] == {"upload": whole}
        assert {one.id for one in claimed.uploads} == {UUID(whole), UUID(image)}


async def test_what_cannot_be_referred_to_is_said_with_its_place(client: httpx.AsyncClient) -> None:
    images = [{"upload": UNKNOWN}, {"upload": "nonsense"}, {"upload": "\0"}]
    assert paths(await submitted(client, "pictures", {"images": images})) == [
        f"/input/images/{place}/upload" for place in range(3)
    ]
    for value in (UNKNOWN, "nonsense", "", "\0"):
        assert paths(await submitted(client, "anything", {"upload": value})) == ["/input/upload"]
    bad = await upload(client, b'{"text": 1}')
    assert paths(await submitted(client, "reverse", {"upload": bad})) == ["/input/text"]
    assert paths(await submitted(client, "reverse", {"upload": await upload(client, b"\x89PNG")})) == ["/input/upload"]


async def test_another_owners_uploads_are_not_there(client: httpx.AsyncClient, db: Database) -> None:
    mine = await upload(client, b'{"text": "abc"}')
    async with db.transaction() as tx:
        await tx._connection.execute("UPDATE uploads SET owner = 'bob'")
    assert paths(await submitted(client, "pictures", {"images": [{"upload": mine}]})) == ["/input/images/0/upload"]
    assert paths(await submitted(client, "reverse", {"upload": mine})) == ["/input/upload"]


async def test_a_batch_refers_as_one_job_does(client: httpx.AsyncClient) -> None:
    one, whole = await upload(client), await upload(client, b'{"text": "abc"}')
    jobs: list[dict[str, Any]] = [
        {"model": "pictures", "input": {"images": [{"upload": one}]}},
        {"model": "reverse", "input": {"upload": whole}},
    ]
    answer = await client.post("/v1/jobs/batch", json={"jobs": jobs}, headers={"Idempotency-Key": "batch"})
    again = await client.post("/v1/jobs/batch", json={"jobs": jobs}, headers={"Idempotency-Key": "batch"})
    assert (answer.status_code, again.json()["batch_id"]) == (202, answer.json()["batch_id"])
    jobs[1]["input"] = {"upload": UNKNOWN}
    assert paths(await client.post("/v1/jobs/batch", json={"jobs": jobs})) == ["/jobs/1/input/upload"]


async def test_a_submission_with_a_key_is_answered_again_although_its_upload_is_gone(
    client: httpx.AsyncClient, files: Path
) -> None:
    whole = await upload(client, b'{"text": "abc"}')
    first = await submitted(client, "reverse", {"upload": whole}, **{"Idempotency-Key": "k"})
    (files / whole).unlink()
    again = await submitted(client, "reverse", {"upload": whole}, **{"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert paths(await submitted(client, "reverse", {"upload": whole})) == ["/input/upload"]


async def test_an_upload_that_goes_in_that_moment_is_that_submissions_fault_alone(
    client: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found, and deleted before the job is stored; others are stored in the same statement."""
    mine = await upload(client)

    original = Inputs._with_references

    async def checked(self: Any, owner: str, what: Any) -> Any:
        result = await original(self, owner, what)
        if result.uploads:
            async with db.transaction() as tx:
                await tx._connection.execute("DELETE FROM uploads")
        return result

    monkeypatch.setattr(Inputs, "_with_references", checked)
    answers = await asyncio.gather(
        submitted(client, "pictures", {"images": [{"upload": mine}]}),
        *(submitted(client, "reverse", {"text": "abc"}) for _ in range(10)),
    )
    assert [answer.status_code for answer in answers] == [422, *[202] * 10]
    assert "removed in this moment" in answers[0].text
