"""An answer that is a document, or a part of it: from memory, or from the blob store as fast as the client takes it.

Conditions and ranges as RFC 9110 has them (sections 13 and 14), in the order of its section 13.2.2.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api_service.byte_range import Part, asked_part
from api_service.conditional import matches, matches_strongly
from api_service.errors import PreconditionFailed
from shared.blobs import Blobs
from shared.errors import BlobMissing, BlobsUnavailable

log = structlog.get_logger(__name__)

# Seconds that the blob store has for each piece: a store that hangs must not hold clients for ever.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Content:
    """What there is: its bytes, their SHA-256 in hexadecimal, and the headers that go with every answer."""

    size: int
    sha256: str
    headers: Mapping[str, str]

    @property
    def etag(self) -> str:
        return f'"{self.sha256}"'


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be sent of it. part: None where there is nothing to send, because the client has it."""

    status: HTTPStatus
    headers: Mapping[str, str]
    part: Part | None


def asked_of(content: Content, request: Headers) -> Asked:
    """Raises PreconditionFailed, RangeNotSatisfiable."""
    headers = {"ETag": content.etag, "Accept-Ranges": "bytes", **content.headers}
    wanted, known = _header(request, "if-match"), _header(request, "if-none-match")
    if wanted is not None and not matches_strongly(wanted, content.etag):
        raise PreconditionFailed("This is not what your If-Match names.")
    if matches(known, content.etag):
        return Asked(HTTPStatus.NOT_MODIFIED, headers, None)
    part = asked_part(_range(request, content.etag), content.size)
    if part is None:
        return Asked(HTTPStatus.OK, headers, Part(0, content.size, content.size))
    return Asked(HTTPStatus.PARTIAL_CONTENT, {**headers, "Content-Range": part.content_range}, part)


def _range(request: Headers, etag: str) -> str | None:
    """If-Range: a part only of what the client has the beginning of. A date is none that we have given."""
    unchanged = request.get("if-range")
    return request.get("range") if unchanged is None or matches_strongly(unchanged, etag) else None


def _header(request: Headers, name: str) -> str | None:
    """Several mean the same as one with a list (RFC 9110, section 5.3)."""
    values = request.getlist(name)
    return ", ".join(values) if values else None


def inline_response(content: bytes, asked: Asked, media_type: str) -> Response:
    if asked.part is None:
        return Response(None, asked.status, asked.headers)
    return Response(content[asked.part.begin : asked.part.end], asked.status, asked.headers, media_type)


async def blob_response(blobs: Blobs, key: str, asked: Asked, media_type: str) -> Response:
    """Raises BlobMissing, BlobsUnavailable: its beginning is read before anything is answered."""
    if asked.part is None:
        return Response(None, asked.status, asked.headers)
    pieces = _in_time(blobs.read(key, asked.part.begin, asked.part.end))
    try:
        first = await anext(pieces)
    except StopAsyncIteration:
        raise BlobMissing("The blob is shorter than its row says.") from None
    return BlobResponse(key, first, pieces, asked, media_type)


async def _in_time(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Raises BlobsUnavailable where the store hangs: that is not waited for, nor what then closes the file."""
    reading: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            reading = asyncio.ensure_future(anext(pieces, None))
            await asyncio.wait({reading}, timeout=PATIENCE)
            if not reading.done():
                raise BlobsUnavailable(f"The blob store has not answered for {PATIENCE:.0f} s.")
            piece = reading.result()
            if piece is None:
                return
            yield piece
    finally:
        if reading is not None and not reading.done():
            reading.cancel()  # it closes the file itself
        else:
            await pieces.aclose()


class BlobResponse(Response):
    """first: read already. rest: read on when the server has taken what was before; left when the client has gone."""

    def __init__(
        self, key: str, first: bytes, rest: AsyncGenerator[bytes, None], asked: Asked, media_type: str
    ) -> None:
        assert asked.part is not None
        super().__init__(None, asked.status, asked.headers, media_type)
        self.headers["Content-Length"] = str(asked.part.length)
        self._key = key
        self._first = first
        self._rest = rest
        self._left_to_send = asked.part.length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's own signature
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        """What breaks off cannot be told any more, only be seen: the body ends before its Content-Length."""
        async with aclosing(self._rest):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._send_piece(send, self._first)
            try:
                async for piece in self._rest:
                    await self._send_piece(send, piece)
            except (BlobMissing, BlobsUnavailable) as error:
                log.warning("a download broke off", key=self._key, error=str(error))
                return
        if self._left_to_send:
            log.error("a blob is shorter than its row says", key=self._key, missing=self._left_to_send)

    async def _send_piece(self, send: Send, piece: bytes) -> None:
        """The server's `send` waits while the client does not read."""
        self._left_to_send -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": self._left_to_send > 0})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
