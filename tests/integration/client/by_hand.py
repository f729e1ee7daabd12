"""A server whose every byte a test decides: for what a real one does only when it is unlucky."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reply:
    """pieces: sent one after the other. early: before the request's body has been read."""

    pieces: tuple[bytes, ...]
    early: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Hand:
    """Each connection gets the next reply, and is closed."""

    replies: list[Reply]
    received: list[Received] = field(default_factory=list)
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
        with suppress(OSError, asyncio.IncompleteReadError):
            try:
                line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
                reply = self.replies.pop(0)
                body = b"" if reply.early else await _body(reader, headers)
                self.received.append(Received(line, headers, body))
                for piece in reply.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
            finally:
                writer.close()
                await writer.wait_closed()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    body = b""
    while "transfer-encoding" in headers:
        size = int(await reader.readline(), 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if not size:
            break
    return body


def answer(status: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def by_hand(*replies: Reply) -> AsyncIterator[Hand]:
    hand = Hand(list(replies))
    server = await asyncio.start_server(hand.accept, "127.0.0.1", 0)
    hand.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield hand
    finally:
        server.close()
        await hand.close()
