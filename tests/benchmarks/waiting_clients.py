"""Clients that wait for jobs with `GET ?wait=60`, thousands of them, in a process of their own.

Each waits for one job, is answered, and waits for the next, so that as many wait all the time as long as there are
jobs enough. How long an answer took is counted from the job's `finished_at`, which the database's clock stamped a moment
before the commit: the same clock as ours, on one machine.
"""

import asyncio
import sys
import time
from collections import Counter
from datetime import datetime
from typing import IO

import msgspec
import uvloop

from deploy.local.ports import HOST
from tests.benchmarks.load import Connection, request
from tests.benchmarks.samples import percentile

WAIT = 60  # seconds
ATTACHED = "attached\n"


class Waiting(msgspec.Struct, frozen=True):
    port: int
    clients: int
    job_ids: list[str]


class Seen(msgspec.Struct, frozen=True):
    """states: how many jobs were seen in which. p50, p99, worst: milliseconds from the end of a job to its answer."""

    states: dict[str, int]
    p50: float
    p99: float
    worst: float
    cpu: float  # seconds that the clients themselves took


class _Answer(msgspec.Struct):
    state: str
    finished_at: datetime | None


_decode = msgspec.json.Decoder(_Answer).decode


class WaitingClients:
    """The process: started, with all clients waiting, once `attached` has returned; `seen` ends with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, waiting: Waiting) -> "WaitingClients":
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdin=pipe, stdout=pipe)
        assert process.stdin is not None
        process.stdin.write(msgspec.msgpack.encode(waiting))
        process.stdin.close()
        return cls(process)

    async def attached(self) -> None:
        assert self._process.stdout is not None
        if await self._process.stdout.readline() != ATTACHED.encode():
            raise RuntimeError("the waiting clients could not connect")

    async def seen(self) -> Seen:
        assert self._process.stdout is not None
        answer = await self._process.stdout.read()
        if await self._process.wait() != 0:
            raise RuntimeError("the waiting clients ended with an error")
        return msgspec.json.decode(answer, type=Seen)


async def _run(waiting: Waiting, out: IO[str]) -> Seen:
    states: Counter[str] = Counter()
    late: list[float] = []
    open_connections = waiting.clients
    all_done = asyncio.Event()

    def on_answer(status: int, _seconds: float, body: bytes) -> None:
        now = time.time()
        answer = _decode(body) if status == 200 else _Answer(f"status {status}", None)
        states[answer.state] += 1
        if answer.finished_at is not None:
            late.append((now - answer.finished_at.timestamp()) * 1000)

    def done() -> None:
        nonlocal open_connections
        open_connections -= 1
        if not open_connections:
            all_done.set()

    loop = asyncio.get_running_loop()
    requests = iter([request("GET", f"/v1/jobs/{job_id}?wait={WAIT}") for job_id in waiting.job_ids])
    for _ in range(waiting.clients):
        await loop.create_connection(lambda: Connection(requests, on_answer, done), HOST, waiting.port)
    out.write(ATTACHED)
    out.flush()
    await all_done.wait()
    p50, p99, worst = (percentile(late, share) for share in (0.5, 0.99, 1.0))
    return Seen(dict(states), p50, p99, worst, time.process_time())


if __name__ == "__main__":
    given = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Waiting)
    result = uvloop.run(_run(given, sys.stdout))
    sys.stdout.write(msgspec.json.encode(result).decode())
