"""Reading bodies."""

from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from api_service.body import read_json
from api_service.errors import BodyTooLarge, NotJson


class Client:
    """Sends these chunks; counts how many were asked for."""

    def __init__(self, *chunks: bytes, leaves: bool = False, **headers: str) -> None:
        self.asked = 0
        self._messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": chunk, "more_body": leaves or chunk is not chunks[-1]} for chunk in chunks
        ]
        if leaves:
            self._messages.append({"type": "http.disconnect"})
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.request = Request({"type": "http", "headers": named}, self._receive)

    async def _receive(self) -> dict[str, Any]:
        self.asked += 1
        return self._messages[self.asked - 1]


async def test_the_body_comes_as_it_was_sent() -> None:
    assert await read_json(Client(b"one").request, 10) == b"one"
    assert await read_json(Client(b"one", b"", b"two").request, 6) == b"onetwo"
    assert await read_json(Client(b"").request, 6) == b""


async def test_reading_stops_at_the_limit() -> None:
    client = Client(b"123", b"45", b"6")

    with pytest.raises(BodyTooLarge, match="4 bytes"):
        await read_json(client.request, 4)

    assert client.asked == 2


@pytest.mark.parametrize("announced", ["5", "0005", "9" * 5000])
async def test_what_announces_itself_as_too_large_is_not_read(announced: str) -> None:
    client = Client(b"123", content_length=announced)

    with pytest.raises(BodyTooLarge):
        await read_json(client.request, 4)

    assert client.asked == 0


async def test_a_wrong_announcement_changes_nothing() -> None:
    assert await read_json(Client(b"123", content_length="nonsense").request, 4) == b"123"
    with pytest.raises(BodyTooLarge):
        await read_json(Client(b"12345", content_length="1").request, 4)


@pytest.mark.parametrize("kind", ["text/plain", "", "application/jsonp", "application/x-www-form-urlencoded", "json"])
async def test_what_says_that_it_is_not_json_is_not_read(kind: str) -> None:
    client = Client(b"1", content_type=kind)

    with pytest.raises(NotJson):
        await read_json(client.request, 4)

    assert client.asked == 0


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON ; charset=utf-8", "application/ld+json"])
async def test_json_is_read(kind: str) -> None:
    assert await read_json(Client(b"1", content_type=kind).request, 4) == b"1"


async def test_a_client_that_leaves_half_way_is_not_waited_for() -> None:
    with pytest.raises(ClientDisconnect):
        await read_json(Client(b"1", leaves=True).request, 4)
