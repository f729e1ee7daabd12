"""One HTTP connection, one request at a time: for latencies, where the next request depends on the last answer."""

import asyncio
from types import TracebackType
from typing import Self

from deploy.local.ports import HOST

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Exchange:
    """`async with Exchange(port) as ask: status, body = await ask(request(…))`"""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(HOST, self._port)
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _value: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._writer.close()

    async def __call__(self, request: bytes) -> tuple[int, bytes]:
        """-> (status, body)"""
        self._writer.write(request)
        head = (await self._reader.readuntil(_END)).lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r", 1)[0]) if at >= 0 else 0
        return int(head[9:12]), await self._reader.readexactly(length)
