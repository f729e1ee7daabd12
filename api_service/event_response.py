"""An answer that goes on: server-sent events, sent as fast as the client takes them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api_service.event_streams import Stream
from api_service.event_views import stream_events
from shared.events import Event, EventPage

MEDIA_TYPE = "text/event-stream"
RETRY = 2000  # milliseconds that a browser waits before it connects again: a restart takes about that long
# To whoever stands between: neither keep it nor wait for more of it.
_HEADERS = {
    "Content-Type": MEDIA_TYPE,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "Vary": "Accept, Authorization",
}
_SIGN_OF_LIFE = b":\n\n"


class EventResponse(Response):
    """page: the stream's first, read already. following: left when the client has gone, or everything has been sent."""

    def __init__(self, stream: Stream, page: EventPage, following: AbstractContextManager[object]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._stream = stream
        self._page = page
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's own signature
        with self._following:
            listening = asyncio.create_task(self._listen(receive))
            try:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send(_body(b"retry: %d\n\n" % RETRY))
                async with aclosing(self._stream.events(self._page)) as parts:
                    await _send_all(parts, send)
                await send(_body(b"", more=False))
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.end()


async def _send_all(parts: AsyncIterator[tuple[Event, ...]], send: Send) -> None:
    """The server's `send` waits while the client does not read."""
    async for events in parts:
        await send(_body(stream_events(events) if events else _SIGN_OF_LIFE))


def _body(content: bytes, *, more: bool = True) -> dict[str, object]:
    return {"type": "http.response.body", "body": content, "more_body": more}
