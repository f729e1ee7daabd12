"""A line to the API that fails as told: each connection takes the next fault, and when there are none left, all is well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    LOSE_REQUEST = "lose_request"  # it never arrives
    LOSE_ANSWER = "lose_answer"  # it is done, and nobody hears of it
    CUT_ANSWER = "cut_answer"  # in its middle
    HANG = "hang"  # it is done, and the answer never comes
    BUSY = "503"
    TOO_MANY = "429"
    GATEWAY = "502"


@dataclass
class Proxy:
    """faults: still to come. met: those that there were."""

    target: tuple[str, int]
    faults: list[Fault] = field(default_factory=list)
    met: list[Fault] = field(default_factory=list)
    url: str = ""
    connections: set["asyncio.Task[None]"] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._serve(reader, writer))
        self.connections.add(connection)
        connection.add_done_callback(self.connections.discard)

    async def close(self) -> None:
        for connection in self.connections:
            connection.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self.faults.pop(0) if self.faults else None
        try:
            request = await reader.read(65536)
            if fault is not None and request:
                self.met.append(fault)
            match fault:
                case Fault.LOSE_REQUEST:
                    return
                case Fault.BUSY | Fault.TOO_MANY | Fault.GATEWAY:
                    head = (
                        f"HTTP/1.1 {fault.value} No\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    )
                    writer.write(head.encode())
                    await writer.drain()
                case _ if request:
                    await self._pass(request, reader, writer, fault)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _pass(
        self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None
    ) -> None:
        up, down = await asyncio.open_connection(*self.target)
        down.write(request)
        try:
            if fault is None:
                both = [asyncio.create_task(_pipe(reader, down)), asyncio.create_task(_pipe(up, writer))]
                try:
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pipe in both:
                        pipe.cancel()
                return
            answer = await up.read(65536)
            if fault is Fault.CUT_ANSWER:
                writer.write(answer[: len(answer) // 2])
                await writer.drain()
            elif fault is Fault.HANG:
                await reader.read()  # until the client has had enough
        finally:
            down.close()
            with suppress(OSError):
                await down.wait_closed()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()


@asynccontextmanager
async def proxy_to(host: str, port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy((host, port))
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
