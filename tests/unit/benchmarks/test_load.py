"""The load generator reads as much of HTTP as it must: where an answer ends."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.benchmarks.load import Connection, request

REQUEST = request("GET", "/x")
OK = b'HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: W/"1"\r\n\r\nhello'
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\netag: W/"1"\r\n\r\n'


class Wire(asyncio.Transport):
    """A transport that remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True


class Talk:
    def __init__(self, requests: int) -> None:
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []
        self.done = 0
        self.wire = Wire()
        self.connection = Connection(iter([REQUEST] * requests), self._answer, self._end)
        self.connection.connection_made(self.wire)

    def _answer(self, status: int, _seconds: float, body: bytes) -> None:
        self.statuses.append(status)
        self.bodies.append(body)

    def _end(self) -> None:
        self.done += 1

    def hear(self, parts: Sequence[bytes]) -> None:
        for part in parts:
            self.connection.data_received(part)


@pytest.mark.parametrize(
    "parts",
    [[OK], [OK[:10], OK[10:]], [OK[:40], OK[40:-2], OK[-2:]], [OK[i : i + 1] for i in range(len(OK))]],
    ids=["whole", "cut in the head", "cut in the body", "byte by byte"],
)
def test_an_answer_is_counted_once_it_is_complete(parts: list[bytes]) -> None:
    talk = Talk(2)
    talk.hear(parts[:-1])
    assert (talk.statuses, len(talk.wire.written)) == ([], 1)
    talk.hear(parts[-1:])
    assert (talk.statuses, len(talk.wire.written)) == ([200], 2)
    assert talk.bodies == [b"hello"]


def test_a_304_has_no_body() -> None:
    talk = Talk(2)
    talk.hear([NOT_MODIFIED, OK])
    assert talk.statuses == [304, 200]


def test_a_connection_is_closed_when_no_request_is_left() -> None:
    talk = Talk(1)
    talk.hear([OK])
    assert talk.wire.closed
    talk.connection.connection_lost(None)
    assert (talk.statuses, talk.done) == ([200], 1)


def test_a_server_that_hangs_up_is_an_answer_of_status_0() -> None:
    talk = Talk(2)
    talk.connection.connection_lost(None)
    assert (talk.statuses, talk.done) == ([0], 1)


def test_a_length_in_capitals_is_read_too() -> None:
    talk = Talk(1)
    talk.hear([OK.replace(b"content-length", b"Content-Length")])
    assert talk.statuses == [200]


def test_a_request_says_how_long_its_body_is() -> None:
    assert request("POST", "/v1/jobs", {"Prefer": "wait=1"}, b"{}") == (
        b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nPrefer: wait=1\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
