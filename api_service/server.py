"""The HTTP server: uvicorn, with a stop that does not wait for those who wait."""

import socket
from collections.abc import Callable

import structlog
import uvicorn
from fastapi import FastAPI

log = structlog.get_logger(__name__)

# Longer than clients pause between polls, so that their connections stay open.
KEEP_ALIVE = 75


class Server(uvicorn.Server):
    """on_stopping: called as soon as the server is to stop, before it waits for the requests under way."""

    def __init__(self, config: uvicorn.Config, on_stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
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
        http="httptools",
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
