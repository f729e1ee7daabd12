import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from api_service.errors import BodyTooLarge, BodyTooSlow
from api_service.uploads import receiving
from api_service.uploads.receiving import chunks_of


def request(messages: Sequence[dict[str, Any]]) -> Request:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await never()
        return left.pop(0)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


async def never() -> None:
    await asyncio.Event().wait()


def some(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def read(messages: Sequence[dict[str, Any]], limit: int = 100) -> bytes:
    return b"".join([chunk async for chunk in chunks_of(request(messages), limit, "too large")])


async def test_a_body_comes_piece_by_piece() -> None:
    assert await read([some(b"a"), some(b""), some(b"b", more=False)]) == b"ab"


async def test_the_limit_holds_while_reading() -> None:
    assert len(await read([some(b"x" * 100, more=False)])) == 100
    with pytest.raises(BodyTooLarge, match="too large"):
        await read([some(b"x" * 60), some(b"x" * 41)])


async def test_a_client_that_has_gone_is_noticed() -> None:
    with pytest.raises(ClientDisconnect):
        await read([some(b"a"), {"type": "http.disconnect"}])


async def test_a_client_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "IDLE", 0.01)
    with pytest.raises(BodyTooSlow):
        await read([some(b"a")])


async def test_a_client_that_sends_a_byte_now_and_then_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte in time, and all of them too slow: the clock goes on by twenty seconds between two."""
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr("api_service.uploads.receiving.time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    with pytest.raises(BodyTooSlow):
        await read([*[some(b"a")] * 50, some(b"", more=False)])
