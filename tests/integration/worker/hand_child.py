"""A model's process whose every answer a test decides, for the moments that a real one does not have on request."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ml_service.child.errors import ChildDied, ModelLoadFailed
from ml_service.child.memory import MemoryWatch
from ml_service.child.messages import BatchItem, Outcome, Succeeded
from ml_service.child.process import ModelProcess, OnSaid
from ml_service.model import Batching
from ml_service.worker.keeper import ChildKeeper, ChildSettings
from shared.catalogue import ModelDescription, ModelState
from shared.settings import BlobSettings

DESCRIPTION = ModelDescription(
    name="actor",
    version=3,
    description="",
    queue="stage",
    tasks=("inference",),
    input_schema={},
    output_schema={},
)


class HandChild(ModelProcess):
    """Computes while `free` is not set, then gives every item its own input as the result."""

    def __init__(self) -> None:
        self.jobs = 0
        self.memory = MemoryWatch(self.pid, limit=0)
        self.sent: list[list[str]] = []  # the inputs of each batch
        self.free = asyncio.Event()
        self.free.set()
        self.dead = asyncio.Event()
        self.got_batch = asyncio.Event()

    @property
    def pid(self) -> int:
        return 1

    @property
    def alive(self) -> bool:
        return not self.dead.is_set()

    async def run(self, items: Sequence[BatchItem], on_said: OnSaid, *, patience: float = 0.0) -> dict[int, Outcome]:
        self.jobs += len(items)
        self.sent.append([item.input.decode() for item in items])
        self.got_batch.set()
        ends = [asyncio.create_task(self.free.wait()), asyncio.create_task(self.dead.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
        if not self.alive:
            raise ChildDied("killed")
        return {place: Succeeded(item.input) for place, item in enumerate(items)}

    def cancel(self, item: int) -> None:
        """It does not listen."""

    async def kill(self) -> None:
        self.dead.set()


class HandKeeper(ChildKeeper):
    """Has a child that is ready, until the test changes `state`; `failure`: why it cannot be loaded."""

    def __init__(self, batching: Batching | None = None) -> None:
        self.description = DESCRIPTION
        self.batching = batching or Batching(max_size=4)
        self.state = ModelState.READY
        self.error = None
        self.failure: str | None = None
        self.loaded = asyncio.Event()
        self.loaded.set()
        self._settings = ChildSettings(Path(), "cpu", 0, BlobSettings())
        self.hand_child = HandChild()
        self.replaced: list[ModelProcess] = []

    async def child(self) -> ModelProcess:
        await self.loaded.wait()
        if self.failure is not None:
            raise ModelLoadFailed(self.failure)
        return self.hand_child

    def replace(self, child: ModelProcess) -> None:
        self.replaced.append(child)
        self.hand_child = HandChild()
