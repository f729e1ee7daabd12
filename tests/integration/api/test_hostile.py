"""Requests that mean no good: refused or dropped, never a 500, and everybody else is served meanwhile."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import psutil
import pytest

from api_service import body as body_module
from api_service import server as server_module
from api_service.server import Server

JSON = "Content-Type: application/json\r\n"
GOOD = b'{"model": "reverse", "input": {"text": "abc"}}'
MIB = 1024 * 1024


@asynccontextmanager
async def connection(one: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = one.servers[0].sockets[0].getsockname()[:2]
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def exchange(one: Server, sent: bytes, *, ends: bool = False) -> bytes:
    """Everything that comes back until the server closes. ends: it is told that no more follows."""
    async with connection(one) as (reader, writer), asyncio.timeout(10):
        writer.write(sent)
        if ends:
            writer.write_eof()
        return await reader.read()


def post(body: bytes, headers: str = JSON, path: str = "/v1/jobs") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.fixture(autouse=True)
async def lives_on(client: httpx.AsyncClient) -> AsyncIterator[None]:
    """Whatever a test has sent, the server answers afterwards."""
    yield
    assert (
        await client.post("/v1/jobs", content=GOOD, headers={"Content-Type": "application/json"})
    ).status_code == 202


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\xfe{\x00", 400),
        (b'{"model": "rev\x00erse"}', 400),
        (b'{"model": "rev\\u0000erse", "input": 1}', 404),
        (b'{"model": "reverse", "input": {"text": "\\ud800"}}', 400),
        (b"[" * 200_000, 400),
        (b'{"model": "anything", "input": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
        (b'{"model": "anything", "input": ' + b"9" * 100_000 + b"}", 422),
        (b'{"model": "reverse", "input": {"text": "a"}, "queue_ttl": 1e999}', 422),
        (b'{"model": "reverse", "input": {"text": "a"}, "max_attempts": ' + b"9" * 5000 + b"}", 422),
        (b"", 400),
    ],
)
async def test_a_body_that_is_none_is_refused(one: Server, body: bytes, code: int) -> None:
    answer = await exchange(one, post(body))

    assert status(answer) == code, answer[:500]
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == code


async def test_duplicate_keys_are_no_fault_of_the_server(one: Server) -> None:
    answer = await exchange(one, post(b'{"model": "nope", "model": "reverse", "input": {"text": "a"}}'))

    assert status(answer) in {202, 400, 422}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/batch"])
async def test_a_compressed_body_is_not_decoded(one: Server, path: str) -> None:
    bomb = gzip.compress(b" " * (64 * MIB))
    before = psutil.Process().memory_info().rss

    answer = await exchange(one, post(bomb, JSON + "Content-Encoding: gzip\r\n", path))

    assert status(answer) == 415
    assert b"Content-Encoding" in answer
    assert psutil.Process().memory_info().rss - before < 32 * MIB


async def test_more_than_was_announced_is_not_part_of_the_body(one: Server) -> None:
    answer = await exchange(one, post(GOOD) + b"and something else\r\n\r\n")

    assert status(answer) in {202, 400}


async def test_less_than_was_announced_stores_nothing(one: Server, client: httpx.AsyncClient) -> None:
    """The connection is half closed: what is missing never comes."""
    answer = await exchange(one, post(GOOD).replace(b"Content-Length: ", b"Content-Length: 9"), ends=True)

    assert status(answer) in {0, 400, 499}
    assert (await client.get("/v1/jobs")).json()["jobs"] == []


async def test_a_body_that_does_not_end_is_given_up(one: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "PATIENCE", 0.2)
    async with connection(one) as (reader, writer), asyncio.timeout(10):
        writer.write(post(GOOD).replace(b"Content-Length: ", b"Content-Length: 9"))
        answer = await reader.read()

    assert status(answer) == 408
    assert b"body_too_slow" in answer


async def test_a_head_that_does_not_end_is_given_up(one: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a byte, half a head, and half a head after a good request: each on a connection of its own."""
    monkeypatch.setattr(server_module, "HEAD_TIMEOUT", 0.2)
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for sent, answers in ((b"", 0), (b"GET /healthz HTTP/1.1\r\nHos", 0), (whole + b"GET /hea", 1)):
        async with connection(one) as (reader, writer), asyncio.timeout(10):
            writer.write(sent)
            assert (await reader.read()).count(b"HTTP/1.1 200") == answers


@pytest.mark.parametrize(
    ("path", "code"), [("/v1/jobs", 413), ("/v1/jobs/batch", 413), ("/v1/jobs/x/cancel", 404), ("/nowhere", 404)]
)
async def test_a_body_without_an_end_is_cut_at_the_limit(one: Server, path: str, code: int) -> None:
    """Chunked, and far more than allowed, or than anybody asked for: memory stays as it is."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n".encode()
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    before = psutil.Process().memory_info().rss
    async with connection(one) as (reader, writer), asyncio.timeout(20):
        writer.write(head)
        for _ in range(1024):  # 64 MiB
            writer.write(chunk)
            await writer.drain()
        answer = await reader.read(4096)

    assert status(answer) == code
    assert psutil.Process().memory_info().rss - before < 32 * MIB


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /v1/jobs/%ff%fe%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/jobs/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/models/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/models/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /assets/..%2f..%2f..%2fetc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /assets/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/jobs?model=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /v1/jobs?cursor=%ff&limit=99999999999999999999 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://elsewhere.example/v1/jobs HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * MIB + b"\r\n\r\n",
        b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    ],
)
async def test_a_strange_request_is_refused_or_dropped(one: Server, sent: bytes) -> None:
    assert status(await exchange(one, sent, ends=True)) < 500


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/batch"])
async def test_ten_thousand_form_parts_are_no_json(client: httpx.AsyncClient, path: str) -> None:
    parts = (
        b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in range(10_000)) + b"--x--\r\n"
    )

    answer = await client.post(path, content=parts, headers={"Content-Type": "multipart/form-data; boundary=x"})

    assert answer.status_code == 415


async def test_old_and_pipelined_requests_are_answered(one: Server) -> None:
    old = await exchange(one, b"GET /healthz HTTP/1.0\r\n\r\n", ends=True)
    line = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    piped = await exchange(one, (line + b"\r\n") * 20 + line + b"Connection: close\r\n\r\n")

    assert status(old) == 200
    assert piped.count(b'{"status":"ok"}') == 21
