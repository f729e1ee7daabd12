"""The HTTP server: uvicorn, with a stop that does not wait for those who wait."""

import asyncio
import gc
import socket
from collections.abc import Callable

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = structlog.get_logger(__name__)

# Longer than clients pause between polls, so that their connections stay open.
KEEP_ALIVE = 75


# A request's head comes in one packet, or soon after it. Who sends it drop by drop only wants the connection.
HEAD_TIMEOUT = 15.0  # seconds
# Who takes nothing of an answer for so long, or less than some 5 kB a second, only holds memory, and a file.
STALL_TIMEOUT = 60.0  # seconds

# Requests leave hardly any cycles behind, and looking for some takes longer the more clients wait. Python's thresholds
# (700, 10, 10) looked so often that it was a tenth of all time, with pauses of 100 ms at 2,000 waiting clients.
COLLECT_AFTER = (20_000, 20, 20)


class Protocol(HttpToolsProtocol):
    """Closes connections on which the head of a request does not come to its end, or an answer is not taken.

    A head in one piece costs no timer, nor does an answer that fits into the socket's buffers.
    """

    _in_head = True  # also before the first byte
    _head_due: asyncio.TimerHandle | None = None
    _taken_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_due = self.loop.call_later(HEAD_TIMEOUT, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_in_time()
        self._taken_in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and self._head_due is None:
            self._head_due = self.loop.call_later(HEAD_TIMEOUT, self.transport.close)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_in_time()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        # Not closed: that would wait until the rest has been taken.
        self._taken_due = self._taken_due or self.loop.call_later(STALL_TIMEOUT, self.transport.abort)

    def resume_writing(self) -> None:
        self._taken_in_time()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _taken_in_time(self) -> None:
        if self._taken_due is not None:
            self._taken_due.cancel()
            self._taken_due = None

    def _head_in_time(self) -> None:
        self._in_head = False
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None


class Server(uvicorn.Server):
    """on_stopping: called as soon as the server is to stop, before it waits for the requests under way."""

    def __init__(self, config: uvicorn.Config, on_stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # all there is now stays
            gc.set_threshold(*COLLECT_AFTER)
            log.info("serving", url=self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stopping()
        await super().shutdown(sockets)

    @property
    def url(self) -> str:
        """Where it really listens, also where any free port was asked for."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server(app: FastAPI, host: str, port: int, grace: int) -> Server:
    """grace: seconds that requests get to finish once the server is to stop."""
    config = uvicorn.Config(
        app,
        host=host.strip("[]"),
        port=port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=grace,
    )
    return Server(config, lambda: app.state.answer_waiting())  # noqa: PLW0108 - it is set when the app starts
