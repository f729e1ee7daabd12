"""A real server that webhooks are sent to, over HTTP or TLS, and that answers as a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)


Reply = Callable[[Received], Awaitable[Response]]


async def _no_content(_: Received) -> Response:
    return Response(status_code=204)


class Receiver:
    """reply: what is answered from now on. It is asked after the message has been noted."""

    def __init__(self) -> None:
        self.port = 0
        self.forget()

    def forget(self) -> None:
        """As if it had just been started."""
        self.reply: Reply = _no_content
        self._received: asyncio.Queue[Received] = asyncio.Queue()

    def answers(self, *statuses: int, headers: dict[str, str] | None = None) -> None:
        """These in turn; the last one for ever."""
        left = list(statuses)

        async def reply(_: Received) -> Response:
            return Response(status_code=left.pop(0) if len(left) > 1 else left[0], headers=headers)

        self.reply = reply

    async def next(self) -> Received:
        return await asyncio.wait_for(self._received.get(), 10)

    def nothing_came(self) -> bool:
        return self._received.empty()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        received = Received(request.url.path, dict(request.headers), await request.body())
        self._received.put_nowait(received)
        await (await self.reply(received))(scope, receive, send)


@asynccontextmanager
async def receiving(certificate: Path | None = None, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    """certificate: a PEM file with the key and the certificate, for TLS."""
    receiver = Receiver()
    config = uvicorn.Config(
        receiver,
        host=host,
        port=0,
        lifespan="off",
        log_config=None,
        ssl_certfile=certificate,
        timeout_graceful_shutdown=0,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the receiver did not start"
        await asyncio.sleep(0.01)
    receiver.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.should_exit = server.force_exit = True
        await task
