"""The system that is measured: started exactly as `make run` does, on a database that waits for its disk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import asyncpg
import httpx

from deploy.local import components
from deploy.local.console import Console
from deploy.local.leftovers import Leftovers
from deploy.local.ports import HOST, answers, free_port
from deploy.local.supervisor import Component, Supervised
from deploy.local.system import LocalSystem
from ml_service.models.digits.version import VERSION
from tests.benchmarks.load import Answered, Load, send
from tests.benchmarks.memory import children_of

CLIENTS = 32
MODELS = Path(__file__).with_name("models")
READY_WITHIN = 120.0  # seconds, for a worker's models to be loaded
LOOK_EVERY = 0.1  # seconds

# One thread, as the bare model has: on two cores a model that takes both would be measured against its own pipeline.
SETTINGS = {"MODELS_DIR": str(MODELS), "TORCH_THREADS": "1", "OMP_NUM_THREADS": "1", "LOG_LEVEL": "INFO"}
# Where nothing takes the jobs out, all that are submitted wait; the cap of them is counted all the same.
SETTINGS |= {"MAX_WAITING_PER_OWNER": "100000000", "MAX_WAITING_PER_QUEUE": "100000000"}


class Log(Console):
    """What the parts say goes to a file."""

    def __init__(self, file: IO[str]) -> None:
        super().__init__()
        self._file = file

    def say(self, name: str, text: str) -> None:
        self._file.write(f"{name:<10} | {text}\n")
        self._file.flush()


@dataclass(frozen=True, slots=True)
class Rig:
    """A system with all its parts but the workers, which each benchmark starts as it needs them."""

    system: LocalSystem
    http: httpx.AsyncClient
    folder: Path

    @property
    def port(self) -> int:
        return self.system.api_port

    @property
    def database_url(self) -> str:
        return self.system.environment["DATABASE_URL"]

    async def send(self, requests: list[bytes], seconds: float | None = None) -> Answered:
        """By 32 clients."""
        return await send(Load(self.port, CLIENTS, requests, seconds))

    def parts(self, worker: Supervised | None = None) -> dict[str, list[int]]:
        """The processes of each part as they are now; those of Postgres are many."""
        pids = {name: [part.pid, *children_of(part.pid)] for name, part in self.system.processes.items()}
        return pids if worker is None else pids | {"worker": [worker.pid], "children": children_of(worker.pid)}

    async def register(self, *models: str) -> None:
        """Puts them into the catalogue and makes their queues, without a worker."""
        async with self.worker(*models):
            pass

    @asynccontextmanager
    async def worker(self, *models: str, threads: int = 1) -> AsyncIterator[Supervised]:
        """A worker that serves these models: alive and all of them loaded inside, stopped afterwards."""
        async with self.starting_worker(*models, threads=threads) as worker:
            await self._loaded(models)
            yield worker

    @asynccontextmanager
    async def starting_worker(self, *models: str, threads: int = 1) -> AsyncIterator[Supervised]:
        """The same, alive inside; its models may still be loading."""
        settings = {"MODELS": ",".join(models), "TORCH_THREADS": str(threads)}
        environment = self.system.environment | settings
        component = components.worker(components.worker_name(1), 25.0, environment)
        async with started(component, self.system.console, self.folder) as worker:
            yield worker

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """asyncpg's, outside every pool: to look at rows."""
        connection = await asyncpg.connect(self.database_url)
        try:
            yield connection
        finally:
            await connection.close()

    async def _loaded(self, models: tuple[str, ...]) -> None:
        async with asyncio.timeout(READY_WITHIN):
            while True:
                states = (await self.http.get("/readyz")).json()["checks"]["models"]
                if all(states.get(name, {}).get("state") == "ready" for name in models):
                    return
                await asyncio.sleep(LOOK_EVERY)


@asynccontextmanager
async def started(component: Component, console: Console, folder: Path) -> AsyncIterator[Supervised]:
    """One more part beside the system's own; ready inside, gone afterwards."""
    part = Supervised(component, console, Leftovers(folder / f"{component.name}.json"), asyncio.Event())
    await part.start()
    try:
        yield part
    finally:
        await part.stop()


@asynccontextmanager
async def rig(folder: Path, log: IO[str], **options: Any) -> AsyncIterator[Rig]:
    """options: of LocalSystem."""
    system = LocalSystem(
        folder / "data",
        port=0,
        workers=0,
        echo=True,
        durable=True,
        models=_without_training(folder),
        env=SETTINGS,
        console=Log(log),
        **options,
    )
    async with system, httpx.AsyncClient(base_url=system.url, timeout=70) as http:
        yield Rig(system, http, folder)


def _without_training(folder: Path) -> Path:
    """A model repository for models that need no weights; the launcher takes it for one that has been trained in."""
    weights = folder / "weights"
    (weights / "digits" / str(VERSION) / "not-here").mkdir(parents=True)
    return weights


@asynccontextmanager
async def bare_api(rig: Rig, submit_size: int, poll_size: int) -> AsyncIterator[int]:
    """The bare FastAPI application, in a process of its own. -> its port"""
    port = free_port()

    async def ready(_pid: int) -> bool:
        return await asyncio.to_thread(answers, f"{HOST}:{port}")

    component = Component(
        name="bare-api",
        command=components.python("tests.benchmarks.bare_api", str(port), str(submit_size), str(poll_size)),
        environment=rig.system.environment,
        ready=ready,
    )
    async with started(component, rig.system.console, rig.folder):
        yield port
