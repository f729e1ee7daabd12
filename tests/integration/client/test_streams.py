"""Files and events over real sockets, with servers that do what they seldom do."""

import io
from pathlib import Path

import pytest

from deploy.client import ProblemError
from tests.integration.client.by_hand import Reply, answer, by_hand
from tests.integration.client.conftest import caller_of

UPLOADED = Reply(
    (answer("201 Created", b'{"id": "u1", "size": 3000000, "sha256": "abc", "content_type": "image/png"}'),)
)
CONTENT = bytes(range(256)) * 12_000
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("how", ["path", "bytes", "file", "pipe"])
async def test_a_file_is_sent_whole_from_wherever_it_is(kind: str, how: str, tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    path = tmp_path / "x.png"
    path.write_bytes(CONTENT)
    file = {"path": path, "bytes": CONTENT, "file": io.BytesIO(CONTENT), "pipe": Pipe(CONTENT)}[how]
    async with by_hand(UPLOADED) as hand:
        caller = caller_of(kind, hand.url)
        uploaded = await caller("upload", file, content_type="image/png")
        await caller.close()

    (received,) = hand.received
    assert received.line == "POST /v1/uploads HTTP/1.1"
    assert received.body == CONTENT
    assert received.headers["content-type"] == "image/png"
    assert ("content-length" in received.headers) == (how != "pipe")
    assert uploaded.reference == {"upload": "u1"}


async def test_a_broken_upload_begins_anew(kind: str) -> None:
    async with by_hand(Reply(()), UPLOADED) as hand:
        caller = caller_of(kind, hand.url)
        await caller("upload", io.BytesIO(CONTENT))
        await caller.close()

    assert [len(one.body) for one in hand.received] == [len(CONTENT)] * 2


async def test_a_file_that_is_refused_before_it_is_read_is_told(kind: str) -> None:
    body = b'{"type": "t", "title": "Too large", "status": 413, "code": "body_too_large", "detail": "At most 1 byte."}'
    async with by_hand(Reply((answer("413 Too Large", body, "application/problem+json"),), early=True)) as hand:
        caller = caller_of(kind, hand.url, patience=0)
        with pytest.raises(ProblemError, match="At most 1 byte"):
            await caller("upload", b"x" * 1000)
        await caller.close()


async def test_events_survive_a_connection_that_breaks_anywhere(kind: str) -> None:
    events = b"".join(b'id: %d\r\nevent: log\r\ndata: {"n": %d}\r\n\r\n' % (n, n) for n in range(1, 4))
    last = b'id: 4\nevent: state\ndata: {"state": "succeeded"}\n\n'
    async with by_hand(
        Reply((STREAM, b": hello\n\n", events[:50], events[50:-20])),
        Reply((answer("503 Busy"),)),
        Reply((STREAM, events[-41:], last)),
        Reply((b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",)),
    ) as hand:
        caller = caller_of(kind, hand.url)
        found = await caller.items("events", "job-1")
        await caller.close()

    assert [(one.seq, one.type, one.data) for one in found] == [
        (1, "log", {"n": 1}),
        (2, "log", {"n": 2}),
        (3, "log", {"n": 3}),
        (4, "state", {"state": "succeeded"}),
    ]
    assert [one.headers.get("last-event-id") for one in hand.received] == [None, "2", "2", "4"]
    assert hand.received[0].headers["accept"] == "text/event-stream"


async def test_a_result_that_is_cut_off_is_fetched_again(kind: str, tmp_path: Path) -> None:
    whole = answer("200 OK", CONTENT)
    async with by_hand(Reply((whole[:-10],)), Reply((whole,))) as hand:
        caller = caller_of(kind, hand.url)
        assert await caller("save_result", "job-1", tmp_path / "result") == len(CONTENT)
        await caller.close()

    assert contents(tmp_path) == {"result": CONTENT}


async def test_the_key_is_sent_and_the_url_may_have_a_path(kind: str) -> None:
    async with by_hand(Reply((answer("200 OK", b'{"models": []}'),))) as hand:
        caller = caller_of(kind, f"{hand.url}/behind/", api_key=" trk_a_b\n")
        assert await caller("models") == []
        await caller.close()

    assert hand.received[0].line == "GET /behind/v1/models HTTP/1.1"
    assert hand.received[0].headers["authorization"] == "Bearer trk_a_b"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}
