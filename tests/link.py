"""A line of TCP that can be cut, go silent and be slow: between one part and what it depends on.

A line that is silent keeps what was sent, as a network that has lost its way does: when it is well again, that arrives, late.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.local.ports import HOST

_CHUNK = 65_536  # bytes
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Streams]]


async def nobody() -> Streams:
    """To dial for a server that accepts, and never says a word."""
    never: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()
    return await never


class Way(StrEnum):
    """Of bytes, seen from the part that has opened the connection."""

    THERE = "there"
    BACK = "back"


BOTH = frozenset(Way)


@dataclass(eq=False, slots=True)
class _Connection:
    """A gate for each way: while it is closed, nothing arrives."""

    ends: list[asyncio.StreamWriter]
    gates: dict[Way, asyncio.Event] = field(default_factory=lambda: {way: asyncio.Event() for way in Way})

    def open(self, ways: frozenset[Way] = BOTH) -> None:
        for way, gate in self.gates.items():
            if way in ways:
                gate.set()

    def shut(self, ways: frozenset[Way]) -> None:
        for way in ways:
            self.gates[way].clear()

    def reset(self) -> None:
        for end in self.ends:
            _reset(end)


class Link:
    """Listens at `port`; each connection is continued by `dial`, called anew for each."""

    def __init__(self, dial: Dial) -> None:
        self.port = 0
        self._dial = dial
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._delay = 0.0
        self._silent: frozenset[Way] = frozenset()  # ways in which new connections are silent

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def heal(self) -> None:
        """What was kept back arrives now."""
        self._delay, self._silent = 0.0, frozenset()
        for connection in self._connections.values():
            connection.open()

    def cut(self) -> None:
        """Resets all connections there are; new ones are well."""
        for connection in self._connections.values():
            connection.reset()

    def silence(self, *ways: Way) -> None:
        """Half-open, until `heal`: connections stay and come about, but nothing arrives, in these ways or in both."""
        self._silent = frozenset(ways) or BOTH
        for connection in self._connections.values():
            connection.shut(self._silent)

    def strand(self) -> None:
        """Nothing arrives any more on the connections there are, as behind a router that forgot them. New ones are well."""
        for connection in self._connections.values():
            connection.shut(BOTH)

    def slow(self, seconds: float) -> None:
        """Whatever is sent arrives so much later, until `heal`."""
        self._delay = seconds

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = _Connection([writer])
        connection.open(BOTH - self._silent)
        self._connections[task] = connection
        try:
            far_reader, far_writer = await self._dial()
            connection.ends.append(far_writer)
            await asyncio.gather(
                self._pump(reader, far_writer, connection.gates[Way.THERE]),
                self._pump(far_reader, writer, connection.gates[Way.BACK]),
            )
        except (OSError, RuntimeError, asyncio.CancelledError):  # RuntimeError: the end was just closed (uvloop)
            connection.reset()
        finally:
            del self._connections[task]
            for end in connection.ends:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        while True:
            piece = await reader.read(_CHUNK)
            if self._delay:
                await asyncio.sleep(self._delay)
            await gate.wait()
            if not piece:
                break
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()


@asynccontextmanager
async def link_to(dial: Dial) -> AsyncIterator[Link]:
    link = Link(dial)
    await link.start()
    try:
        yield link
    finally:
        await link.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    with suppress(OSError, ValueError):  # ValueError: uvloop's, of one that is closed
        if connection is not None and connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
