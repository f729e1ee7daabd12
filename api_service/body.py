"""Reading a request's body: JSON only, and never more of it than allowed."""

import asyncio
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request

from api_service.errors import BodyTooLarge, BodyTooSlow, EncodedBody, NotJson

# Seconds for all of it: 16 MiB over a slow line. Who needs longer sends an upload.
PATIENCE = 60.0


async def read_json(request: Request, limit: int) -> bytes:
    """The body as it came, at most `limit` bytes. The limit holds while reading.

    Raises NotJson, EncodedBody, BodyTooLarge, BodyTooSlow.
    """
    content_type = request.headers.get("content-type")
    if content_type is not None and not _is_json(content_type):
        raise NotJson(f"Content-Type is {content_type!r}: send application/json.")
    refuse_encoded(request)
    too_large = f"The body may have {limit} bytes. Larger inputs go through /v1/uploads."
    refuse_larger(request, limit, too_large)
    try:
        async with asyncio.timeout(PATIENCE):
            chunks = await _read(request, limit, too_large)
    except TimeoutError:
        raise BodyTooSlow(f"The body did not end within {PATIENCE:.0f} s. Does its Content-Length hold?") from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def refuse_encoded(request: Request) -> None:
    """Raises EncodedBody. What is small as it comes can be large without end decoded."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise EncodedBody(f"Content-Encoding is {encoding[:50]!r}: send the body as it is, nothing is decoded here.")


def refuse_larger(request: Request, limit: int, too_large: str) -> None:
    """By what it announces of itself, before anything is read. Raises BodyTooLarge."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and _exceeds(announced, limit):
        raise BodyTooLarge(too_large)


async def _read(request: Request, limit: int, too_large: str) -> Sequence[bytes]:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(too_large)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _exceeds(digits: str, limit: int) -> bool:
    """Compared by length first: int() of very many digits is slow."""
    return len(digits.lstrip("0")) > len(str(limit)) or int(digits) > limit
