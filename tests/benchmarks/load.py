"""HTTP load from a process of its own, cheap enough that it is never what is measured.

A general client costs more than the server does: httpx takes a second of CPU for some 600 requests. This one sends
bytes that were made beforehand over connections that stay open, each of them one request after the other, and reads of
the answers no more than where they end. Its own CPU time is in the result, so that it can be seen not to be the limit.
"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import cast

import msgspec
import uvloop

from deploy.local.ports import HOST
from tests.benchmarks.samples import percentile

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_BODILESS = (204, 304)

OnAnswer = Callable[[int, float, bytes], None]


class Load(msgspec.Struct, frozen=True):
    """The requests are sent in turn by all connections, for `seconds`, or until each has been sent once (None)."""

    port: int
    connections: int
    requests: list[bytes]
    seconds: float | None = None


class Answered(msgspec.Struct, frozen=True):
    """statuses: how many answers of each. p50, p99: milliseconds. cpu: seconds of CPU that the client itself took."""

    seconds: float
    statuses: dict[int, int]
    p50: float
    p99: float
    cpu: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return sum(self.statuses.values()) / self.seconds

    def all_were(self, status: int) -> "Answered":
        """Raises RuntimeError where any was something else: then it is not what was to be measured."""
        if self.statuses.keys() != {status}:
            raise RuntimeError(f"expected only {status}, got {self.statuses}")
        return self


def request(method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> bytes:
    """The bytes of one request. A body is JSON."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {HOST}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


async def send(load: Load) -> Answered:
    """Runs it in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await process.communicate(msgspec.msgpack.encode(load))
    if process.returncode != 0:
        raise RuntimeError(f"the load generator ended with {process.returncode}")
    return msgspec.json.decode(answer, type=Answered)


class Connection(asyncio.Protocol):
    """One request after the other, as long as `requests` has some; `done` is called when the connection is over.

    on_answer: status (0: the server hung up), seconds, body.
    """

    def __init__(self, requests: Iterator[bytes], on_answer: OnAnswer, done: Callable[[], None]) -> None:
        self._requests = requests
        self._on_answer = on_answer
        self._done = done
        self._waiting = False
        self._rest = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        end = data.find(_END)
        if end < 0:
            self._rest = data
            return
        status = int(data[9:12])
        size = end + len(_END) + (0 if status in _BODILESS else _length(data[:end].lower()))
        if len(data) < size:
            self._rest = data
            return
        self._rest = b""
        self._waiting = False
        self._on_answer(status, time.perf_counter() - self._sent, data[end + len(_END) :])
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._on_answer(0, time.perf_counter() - self._sent, b"")
        self._done()

    def _next(self) -> None:
        following = next(self._requests, None)
        if following is None:
            self._transport.close()
            return
        self._waiting = True
        self._sent = time.perf_counter()
        self._transport.write(following)


def _length(head: bytes) -> int:
    at = head.index(_LENGTH) + len(_LENGTH)
    end = head.find(b"\r", at)
    return int(head[at : end if end >= 0 else None])


def _until(deadline: float, requests: Iterator[bytes]) -> Iterator[bytes]:
    for one in requests:
        if time.perf_counter() >= deadline:
            return
        yield one


async def _run(load: Load) -> Answered:
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    open_connections = load.connections
    all_done = asyncio.Event()

    def on_answer(status: int, seconds: float, _body: bytes) -> None:
        statuses[status] += 1
        latencies.append(seconds)

    def done() -> None:
        nonlocal open_connections
        open_connections -= 1
        if not open_connections:
            all_done.set()

    loop = asyncio.get_running_loop()
    began, cpu = time.perf_counter(), time.process_time()
    requests = iter(load.requests)
    if load.seconds is not None:
        requests = _until(began + load.seconds, itertools.cycle(load.requests))
    for _ in range(load.connections):
        await loop.create_connection(lambda: Connection(requests, on_answer, done), HOST, load.port)
    await all_done.wait()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    p50, p99 = (percentile(latencies, share) * 1000 for share in (0.5, 0.99))
    return Answered(took, dict(statuses), p50, p99, cpu)


if __name__ == "__main__":
    given = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(given))))
