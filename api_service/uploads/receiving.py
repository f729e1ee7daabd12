"""A request's body piece by piece: never more than allowed, and only from a client that goes on sending."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from api_service.errors import BodyTooLarge, BodyTooSlow

# Seconds without a byte. A telephone that changes its network takes some; a client that is gone is noticed otherwise.
IDLE = 30.0
# Bytes a second, all in all: a bad line is eight times as fast, and who is slower only holds on to us.
SLOWEST = 8 * 1024


async def chunks_of(request: Request, limit: int, too_large: str) -> AsyncIterator[bytes]:
    """limit: bytes. too_large: what to say beyond it. Raises BodyTooLarge, BodyTooSlow, ClientDisconnect."""
    began, size = time.monotonic(), 0
    more = True
    while more:
        late = began + IDLE + size / SLOWEST - time.monotonic()
        message = await _next(request, min(IDLE, late))
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(too_large)
        more = message.get("more_body", False)
        if chunk:
            yield chunk


async def _next(request: Request, seconds: float) -> Message:
    if seconds > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await request.receive()
    raise BodyTooSlow(
        f"Nothing came for {IDLE:.0f} s, or less than {SLOWEST} bytes a second. Does its Content-Length hold?"
    )
