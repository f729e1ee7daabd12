"""The system that is broken: real processes, each with links of its own to the database and the broker."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil

from deploy.local.brokers import EMBEDDED
from deploy.local.components import api_name, worker_name
from deploy.local.console import Console
from deploy.local.standin.control import Control
from deploy.local.system import LocalSystem
from ml_service.models.digits.version import VERSION
from tests.chaos.truth import Truth, truth_of
from tests.link import Link, Streams, link_to

LEASE = 4.0  # seconds: faults are noticed by leases, and shorter ones are waited for less
INLINE = 2_000  # bytes: larger results go to the blob store
SETTINGS = {
    "LEASE_SECONDS": f"{LEASE:g}",
    "HEARTBEAT_SECONDS": "1",
    "MODELS": "echo",
    "TORCH_THREADS": "1",
    "CANCEL_GRACE": "2",
    "INLINE_RESULT_LIMIT": str(INLINE),
    "MAX_BATCH_SECONDS": "5",
    "PUBSUB_PULL_SECONDS": "1",
    "WEBHOOK_TIMEOUT": "1",
    "WEBHOOK_ALLOW_HTTP": "true",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
}
RESTARTED_WITHIN = 90.0  # seconds
LOOK_EVERY = 0.05


class Target(StrEnum):
    """What a link leads to."""

    DATABASE = "database"
    BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Rig:
    """control: of the stand-in; None where the broker is another."""

    system: LocalSystem
    links: Mapping[tuple[str, Target], Link]
    truth: Truth
    control: Control | None

    @property
    def blobs(self) -> Path:
        return Path(self.system.environment["BLOB_URL"])

    @property
    def apis(self) -> list[str]:
        return [name for name in self.system.processes if name.startswith("api")]

    @property
    def workers(self) -> list[str]:
        return [name for name in self.system.processes if name.startswith("worker")]

    def links_of(self, target: Target, *parts: str) -> list[Link]:
        """All, where no part is named."""
        return [link for (part, to), link in self.links.items() if to is target and (not parts or part in parts)]

    def pid(self, part: str) -> int:
        return self.system.processes[part].pid

    def running(self, part: str) -> bool:
        return part in self.system.processes and self.system.processes[part].running

    def kill(self, part: str, how: signal.Signals = signal.SIGKILL) -> int:
        """-> the process id that it had. It is started again by its supervisor."""
        pid = self.pid(part)
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        return pid

    def freeze(self, part: str) -> list[psutil.Process]:
        """With its children: a machine that freezes leaves none of them running. -> what to give to `thaw`."""
        frozen = family(self.pid(part))
        _signal(frozen, signal.SIGSTOP)
        return frozen

    def thaw(self, frozen: Iterable[psutil.Process]) -> None:
        _signal(frozen, signal.SIGCONT)

    def children(self, part: str) -> list[psutil.Process]:
        return family(self.pid(part))[1:] if self.running(part) else []

    async def restarted(self, part: str, old: int) -> None:
        """Until another process runs in the place of that one."""
        async with asyncio.timeout(RESTARTED_WITHIN):
            while not self.running(part) or self.pid(part) == old:
                await asyncio.sleep(LOOK_EVERY)

    async def kill_and_wait(self, part: str, how: signal.Signals = signal.SIGKILL) -> None:
        await self.restarted(part, self.kill(part, how))

    async def drained(self, within: float = 120.0) -> None:
        """Until every job has ended. Raises TimeoutError."""
        await self.truth.until("SELECT NOT EXISTS (SELECT FROM jobs WHERE finished_at IS NULL)", within=within)

    async def alive(self, workers: int, within: float = 60.0) -> None:
        """Until so many workers are alive and have their model ready."""
        await self.truth.until(
            """SELECT count(*) >= $1 FROM workers
            WHERE state = 'alive' AND lease_until > now() AND models @> '[{"state": "ready"}]'""",
            workers,
            within=within,
        )

    async def holder(self, job_id: str) -> str | None:
        """The part that holds the job: a worker's name ends with its process id."""
        rows = await self.truth.fetch(
            "SELECT workers.name FROM jobs JOIN workers ON workers.id = jobs.worker WHERE jobs.id = $1::uuid", job_id
        )
        pid = int(rows[0]["name"].rpartition(":")[2]) if rows else None
        return next((part for part in self.workers if self.pid(part) == pid), None)


def family(pid: int) -> list[psutil.Process]:
    """The process, then all its descendants."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


@asynccontextmanager
async def rig(
    folder: Path,
    *,
    apis: int = 1,
    workers: int = 1,
    broker: str = EMBEDDED,
    env: Mapping[str, str] | None = None,
    env_of: Callable[[str], Mapping[str, str]] = lambda _part: {},
    console: Console | None = None,
) -> AsyncIterator[Rig]:
    """Ready inside, all of it gone afterwards."""
    async with AsyncExitStack() as stack:
        parts = [*map(api_name, range(1, apis + 1)), *map(worker_name, range(1, workers + 1))]
        links: dict[tuple[str, Target], Link] = {}
        system = LocalSystem(
            folder / "data",
            port=0,
            apis=apis,
            workers=workers,
            echo=True,
            durable=False,
            broker=broker,
            models=_without_training(folder),
            env={**SETTINGS, **(env or {})},
            env_of=lambda part: {**_through(links, part), **env_of(part)},
            console=console or Console(),
        )
        dials = {Target.DATABASE: lambda: _dial_database(system), Target.BROKER: lambda: _dial_broker(system)}
        for part in parts:
            for target, dial in dials.items():
                links[part, target] = await stack.enter_async_context(link_to(dial))
        await stack.enter_async_context(system)
        truth = await stack.enter_async_context(truth_of(system.environment["DATABASE_URL"]))
        control = None
        if broker == EMBEDDED:
            control = await stack.enter_async_context(Control(system.environment["PUBSUB_EMULATOR_HOST"]))
        made = Rig(system, links, truth, control)
        await made.alive(workers)
        try:
            yield made
        finally:
            for link in links.values():  # who is to stop in good order must be able to say so
                link.heal()


def _through(links: Mapping[tuple[str, Target], Link], part: str) -> dict[str, str]:
    return {
        "DATABASE_URL": f"postgresql://postgres@{links[part, Target.DATABASE].address}/torchrelay",
        "PUBSUB_EMULATOR_HOST": links[part, Target.BROKER].address,
    }


async def _dial_database(system: LocalSystem) -> Streams:
    """Our own Postgres listens on a socket in the file system only."""
    query: Any = parse_qs(urlsplit(system.environment["DATABASE_URL"]).query)
    return await asyncio.open_unix_connection(f"{query['host'][0]}/.s.PGSQL.5432")


async def _dial_broker(system: LocalSystem) -> Streams:
    host, _, port = system.environment["PUBSUB_EMULATOR_HOST"].rpartition(":")
    return await asyncio.open_connection(host, int(port))


def _without_training(folder: Path) -> Path:
    """A model repository for models that need no weights; the launcher takes it for one that has been trained in."""
    weights = folder / "weights"
    (weights / "digits" / str(VERSION) / "not-here").mkdir(parents=True, exist_ok=True)
    return weights
