"""A connection whose other end is gone without a word, as after a pulled cable or a dropped NAT entry."""

import asyncio
from asyncio import StreamReader, StreamWriter, Task
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self


@asynccontextmanager
async def mute_server() -> AsyncIterator[tuple[str, int]]:
    """Accepts connections, and never says a word. -> (host, port)"""
    writers: list[StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield host, port
    server.close()
    for writer in writers:
        writer.close()


class SilentProxy:
    """Passes TCP connections on to `target`: "host:port", or the path of a socket.

    After `silence()` the old ones stay open, and what either side sends is swallowed; new ones work.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._pipes: set[Task[None]] = set()
        self._writers: list[StreamWriter] = []
        self._silenced: set[StreamWriter] = set()
        self.host = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._pipes)

    def silence(self) -> None:
        self._silenced = set(self._writers)

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        target_reader, target_writer = await self._connect()
        self._writers += [writer, target_writer]
        for source, sink in ((reader, target_writer), (target_reader, writer)):
            self._pipes.add(asyncio.create_task(self._pipe(source, sink)))

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        if self._target.startswith("/"):
            return await asyncio.open_unix_connection(self._target)
        host, _, port = self._target.partition(":")
        return await asyncio.open_connection(host, int(port))

    async def _pipe(self, source: StreamReader, sink: StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                if sink not in self._silenced:
                    sink.write(data)
                    await sink.drain()
        except ConnectionError:
            pass
        finally:
            if sink not in self._silenced:
                sink.close()
