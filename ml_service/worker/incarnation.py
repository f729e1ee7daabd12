"""One life of this worker process (rule 6): its lease, its heartbeat, and its end."""

import asyncio
import os
import platform
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog
import uuid_utils.compat

from shared.catalogue import ServedModel
from shared.database.leases import Held, QueueReport, heartbeat, leave, register_worker
from shared.database.pool import Database
from shared.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

RETRY_AFTER = 1.0  # seconds between tries while the database does not answer


@dataclass(frozen=True, slots=True)
class Report:
    """What a heartbeat says of the worker."""

    device: str
    models: Sequence[ServedModel]
    queues: Sequence[QueueReport]


@dataclass(slots=True)
class Incarnation:
    """Beats in the parent process, which never runs model code; on its death it begins a new life under a new id."""

    db: Database
    report: Callable[[], Report]
    on_held: Callable[[Collection[Held]], None]  # what the database notes for us, after every heartbeat
    on_death: Callable[[], None]  # declared dead: whatever is at hand belongs to others now
    lease: float
    interval: float
    id: UUID = field(default_factory=uuid_utils.compat.uuid7)
    name: str = f"{platform.node()}:{os.getpid()}"
    _beat_now: asyncio.Event = field(default_factory=asyncio.Event)

    async def register(self) -> None:
        """Waits for the database for as long as it takes."""
        while True:
            try:
                report = self.report()
                await register_worker(
                    self.db, self.id, name=self.name, device=report.device, lease=self.lease, models=report.models
                )
            except DatabaseUnavailable as error:
                log.warning("not registered yet", error=str(error))
                await asyncio.sleep(RETRY_AFTER)
            else:
                log.info("registered", worker=str(self.id), name=self.name)
                return

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self.interval):
                    await self._beat_now.wait()
            except TimeoutError:
                pass
            self._beat_now.clear()
            await self.beat()

    def beat_soon(self) -> None:
        """Somebody was told that our lease looks over, or has something new to report."""
        self._beat_now.set()

    async def beat(self) -> None:
        report = self.report()
        try:
            held = await heartbeat(
                self.db,
                self.id,
                device=report.device,
                lease=self.lease,
                models=report.models,
                queues=report.queues,
            )
        except DatabaseUnavailable as error:
            log.warning("heartbeat failed", error=str(error))
            return
        if held is not None:
            self.on_held(held)
            return
        log.warning("declared dead: dropping all work, beginning a new life", worker=str(self.id))
        self.on_death()
        self.id = uuid_utils.compat.uuid7()
        await self.register()

    async def end(self) -> None:
        try:
            await leave(self.db, self.id)
        except DatabaseUnavailable as error:
            log.warning("could not say goodbye; the lease will run out", error=str(error))
