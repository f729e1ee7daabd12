"""Everything on one machine, as one thing to start and stop."""

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Self

from deploy.local import components
from deploy.local.broker import LocalBroker
from deploy.local.brokers import Broker, choose
from deploy.local.components import API, BROKER, POSTGRES, python
from deploy.local.console import Console
from deploy.local.data import DataFolder
from deploy.local.ports import HOST, exactly, free_port, near
from deploy.local.postgres import Postgres
from deploy.local.supervisor import NAME, Component, Supervised, Supervisor
from ml_service.models.digits.version import VERSION

DEFAULT_PORT = 8000


@dataclass
class LocalSystem:
    """`async with LocalSystem(folder) as system:` has it running inside, with nothing of it left afterwards.

    Parts are known by name: postgres, broker, api, api-2, …, worker-1, worker-2, …; the first two only where they are
    our own.
    One that ends by itself is started again. The broker forgets everything when it ends; whoever uses it notices.
    """

    data: Path
    _: KW_ONLY
    port: int | None = None  # of the API; 0: any free one; None: 8000, or a free one near it
    apis: int = 1  # those besides the first have any free ports
    workers: int = 1
    echo: bool = False
    fresh: bool = False  # remove what is kept in `data` first
    durable: bool = True  # False is for tests: commits do not wait for the disk
    database_url: str | None = None  # use this one, and start none
    broker: str | None = None  # official, embedded, or host:port; None: Google's emulator, or else the stand-in
    models: Path | None = None  # where weights lie; None: in `data`
    drain_grace: float = 25.0  # seconds that running jobs get when a worker is stopped
    env: Mapping[str, str] = field(default_factory=dict)  # more settings for the parts
    env_of: Callable[[str], Mapping[str, str]] = lambda _name: {}  # and for each API and worker, by its name
    console: Console = field(default_factory=Console)
    environment: dict[str, str] = field(default_factory=dict, init=False)  # all settings of the parts, once started

    def __post_init__(self) -> None:
        self._folder = DataFolder(self.data.resolve())
        self._supervisor = Supervisor(self.console, self._folder.leftovers)
        self._held = ExitStack()
        self._postgres: Postgres | None = None
        self._broker: Broker | None = None
        self._more_ports: list[int] = []

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.api_port}"

    @property
    def urls(self) -> list[str]:
        """Of all APIs."""
        return [self.url, *(f"http://{HOST}:{port}" for port in self._more_ports)]

    @property
    def api_port(self) -> int:
        return int(self.environment["API_PORT"])

    @property
    def processes(self) -> Mapping[str, Supervised]:
        return self._supervisor.processes

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Returns when all APIs are ready and every worker alive. Raises CannotStart; `close` is due then, too."""
        self._held.enter_context(self._folder.locked())
        await asyncio.to_thread(self._clean_up)
        self._choose()
        try:
            async with asyncio.TaskGroup() as group:
                database = group.create_task(self._start_database())
                broker = group.create_task(self._start_broker())
                training = group.create_task(self._train())
                for api in self._apis():
                    group.create_task(self._start(api, database))
                for worker in self._workers():
                    group.create_task(self._start(worker, database, broker, training))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def close(self) -> None:
        """Workers first, so that they can hand back what they have; then whom they depend on."""
        workers = [name for name in self.processes if name.startswith("worker-")]
        apis = [name for name in self.processes if name == API or name.startswith(f"{API}-")]
        await self._supervisor.stop(workers, apis, [BROKER, POSTGRES])
        if self._postgres is not None:
            shutil.rmtree(self._postgres.socket_folder, ignore_errors=True)
        self._held.close()

    def hurry(self) -> None:
        """Nobody wants to wait for the end any longer."""
        self._supervisor.hurry()

    async def stop(self, name: str) -> None:
        await self.processes[name].stop()

    async def start(self, name: str, **once: str) -> None:
        """One that was stopped; returns when it is ready. once: more settings, until it ends for the first time."""
        await self.processes[name].start(once)

    async def restart_broker(self) -> None:
        """It comes back without its topics, subscriptions and messages."""
        await self.stop(BROKER)
        await self.start(BROKER)

    def _clean_up(self) -> None:
        Postgres(self._folder.database).end_left_behind()  # before the rest: it is asked, the others are killed
        self._folder.leftovers.end()
        if self.fresh:
            for removed in self._folder.clear(blobs=not self.database_url):
                self._say(f"removed {removed}")
            if self.database_url:
                self._say("DATABASE_URL is set: that database is left as it is")

    def _choose(self) -> None:
        """Which database, which broker, which port; all of it goes to the parts through their environment."""
        port = near(DEFAULT_PORT) if self.port is None else exactly(self.port)
        if self.port is None and port != DEFAULT_PORT:
            self._say(f"port {DEFAULT_PORT} is taken: using {port}")
        if self.database_url is None:
            self._postgres = Postgres(self._folder.database, durable=self.durable)
        self._broker, explained = choose(self.broker, free_port)
        self._say(explained)
        settings = {
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": self._postgres.url() if self._postgres else self.database_url or "",
            "PUBSUB_EMULATOR_HOST": self._broker.host,
            "PUBSUB_PULL_SECONDS": "3",  # an emulator is asked for nothing; a Ctrl-C waits for the pulls
            "API_HOST": HOST,
            "API_PORT": str(port),
            "MODEL_REPOSITORY": str(self._models),
            "BLOB_URL": str(self._folder.blobs),
            "ENABLE_ECHO": str(self.echo).lower(),
            "DRAIN_GRACE": str(self.drain_grace),
            "GRPC_ENABLE_FORK_SUPPORT": "false",  # nothing forks to use gRPC in the copy; otherwise every fork is logged
        }
        self.environment = dict(os.environ) | settings | dict(self.env)
        self._more_ports = [free_port() for _ in range(self.apis - 1)]

    @property
    def _models(self) -> Path:
        return (self.models or self._folder.models).resolve()

    async def _start_database(self) -> None:
        if self._postgres is not None:
            await self._supervisor.start(components.postgres(self._postgres))
            await asyncio.to_thread(self._postgres.create_database)
        await self._supervisor.run("migrate", python("shared.database", "upgrade"), self.environment)

    async def _start_broker(self) -> None:
        assert self._broker is not None
        if isinstance(self._broker, LocalBroker):
            await self._supervisor.start(components.broker(self._broker, self.environment))
        else:
            await asyncio.to_thread(self._broker.check)

    async def _train(self) -> None:
        """The model that the page shows first comes without weights: it is trained here, once."""
        if any(self._models.glob(f"digits/{VERSION}/*")):
            return
        self._say("training the model `digits`, once")
        command = python("ml_service.models.digits.train", "--output", str(self._models))
        # One thread: while all else starts beside it, two took a fifth longer for so small a model.
        await self._supervisor.run("train", command, self.environment | {"OMP_NUM_THREADS": "1"})

    def _apis(self) -> list[Component]:
        apis = []
        for number, port in enumerate([self.api_port, *self._more_ports], start=1):
            name = components.api_name(number)
            apis.append(components.api(name, port, {**self.environment, **self.env_of(name)}))
        return apis

    def _workers(self) -> list[Component]:
        """They put their models into the catalogue themselves, and make their queues."""
        workers = []
        for number in range(1, self.workers + 1):
            name = components.worker_name(number)
            workers.append(components.worker(name, self.drain_grace, {**self.environment, **self.env_of(name)}))
        return workers

    async def _start(self, component: Component, *needed: "asyncio.Task[None]") -> None:
        for task in needed:
            await task
        await self._supervisor.start(component)

    def _say(self, text: str) -> None:
        self.console.say(NAME, text)
