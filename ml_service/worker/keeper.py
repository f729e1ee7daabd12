"""Keeps a child process with its model: starts it, starts it again when it died, and says how it is."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from ml_service.child.errors import ChildDied, ModelLoadFailed
from ml_service.child.outputs import RESULT_LIMIT
from ml_service.child.process import ModelProcess
from ml_service.discovery import ModelReference
from ml_service.model import Batching
from shared.catalogue import ModelDescription, ModelState
from shared.errors import InvalidModel
from shared.settings import BlobSettings

log = structlog.get_logger(__name__)

# A model whose loading failed is tried again: files may arrive, a device may come free.
RETRY_FIRST, RETRY_MOST = 5.0, 300.0  # seconds, doubling
# A child that is replaced though nothing is wrong with it may end in good order: it has no batch to finish.
GOODBYE = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """What every child of this worker is started with. files: the model repository. threads: 0 leaves it to torch.

    blobs: where uploads are. result_limit: bytes. memory_limit: bytes that it may hold. max_jobs: after so many it is
    replaced. 0: no limit.
    """

    files: Path
    device: str
    threads: int
    blobs: BlobSettings
    result_limit: int = RESULT_LIMIT
    memory_limit: int = 0
    max_jobs: int = 0


class ChildKeeper:
    """Made by `spawn`, once the model has described itself; `run` keeps the child up."""

    def __init__(
        self,
        reference: ModelReference,
        settings: ChildSettings,
        child: ModelProcess,
        description: ModelDescription,
        batching: Batching,
        on_change: Callable[[], None],
    ) -> None:
        self.description = description
        self.batching = batching
        self.state = ModelState.LOADING
        self.error: str | None = None
        self.device: str | None = None
        self.failures = 0  # loads that failed since the last that worked
        self._reference = reference
        self._settings = settings
        self._child = child
        self._on_change = on_change
        self._settled = asyncio.Event()  # ready or failed: the present try has ended
        self._gone = asyncio.Event()

    @classmethod
    async def spawn(
        cls, reference: ModelReference, settings: ChildSettings, on_change: Callable[[], None]
    ) -> "ChildKeeper":
        """Raises InvalidModel or ChildDied: then there is no model to speak of."""
        child = await _spawn(reference, settings)
        try:
            return cls(reference, settings, child, await child.described(), await child.batching(), on_change)
        except BaseException:
            await child.kill()
            raise

    async def run(self) -> None:
        delay = RETRY_FIRST
        while True:
            if await self._load():
                delay = RETRY_FIRST
                await self._until_gone()
            else:
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_MOST)
            await self._replace()

    async def child(self) -> ModelProcess:
        """The child, once it is ready. Raises ModelLoadFailed where the present try has failed."""
        await self._settled.wait()
        if self.state is not ModelState.READY:
            raise ModelLoadFailed(self.error or "its process died while loading")
        return self._child

    async def fit_child(self, *, alone: bool) -> ModelProcess:
        """The child, fit for one more batch. Raises ModelLoadFailed where there is none.

        alone: who runs alone is charged for what happens, so it starts with at least half of a new child's memory.
        """
        child = await self.child()
        self.retire(child)
        if alone and child.alive and child.memory.half_used:
            log.info("a new process for a lone attempt", model=self.description.name, pid=child.pid)
            self.replace(child)
        return await self.child()

    def retire(self, child: ModelProcess) -> None:
        """Between two batches: replaces it if it is dead, has done its part, or holds more memory than it may."""
        if not child.alive:
            self.replace(child)
        elif 0 < self._settings.max_jobs <= child.jobs or child.memory.exceeded:
            log.info("replacing the model's process", model=self.description.name, jobs=child.jobs, pid=child.pid)
            self.replace(child)

    def replace(self, child: ModelProcess) -> None:
        """This child is dead, or is to end: another one is needed, unless that has been noticed already."""
        if child is not self._child or self._gone.is_set():
            return
        self._set(ModelState.LOADING)
        self._settled.clear()
        self._gone.set()

    async def stop(self, grace: float) -> None:
        await self._child.stop(grace)

    async def _load(self) -> bool:
        try:
            self.device = await self._child.ready()
        except (ModelLoadFailed, ChildDied, InvalidModel) as error:
            self.failures += 1
            log.error("model not loaded", model=self.description.name, error=str(error), failures=self.failures)
            self._set(ModelState.FAILED, str(error))
        else:
            self.failures = 0
            log.info("model ready", model=self.description.name, device=self.device, pid=self._child.pid)
            self._set(ModelState.READY)
        self._settled.set()
        return self.state is ModelState.READY

    async def _until_gone(self) -> None:
        """Whoever notices first: who ran a batch, or this, if it dies between two batches."""
        ended = asyncio.create_task(self._child.ended())
        gone = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            gone.cancel()
        self.replace(self._child)

    async def _replace(self) -> None:
        """A new child in the place of the old one; the state stays as it is until the new one has tried."""
        await self._child.stop(GOODBYE)
        while True:
            try:
                self._child = await _spawn(self._reference, self._settings)
            except ChildDied as error:
                log.error("no process for the model", model=self.description.name, error=str(error))
                await asyncio.sleep(RETRY_FIRST)
            else:
                self._gone.clear()
                return

    def _set(self, state: ModelState, error: str | None = None) -> None:
        self.state, self.error = state, error
        self._on_change()


async def _spawn(reference: ModelReference, settings: ChildSettings) -> ModelProcess:
    return await ModelProcess.spawn(
        reference,
        files=settings.files,
        device=settings.device,
        threads=settings.threads,
        warm_up=True,
        blobs=settings.blobs,
        result_limit=settings.result_limit,
        memory_limit=settings.memory_limit,
    )
