"""One model in one worker: its batcher, its child, and the pipeline between them.

While the child computes one batch, the one before is being settled and the ones after are being claimed: the device
waits for nothing but the note of a start.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

import structlog

from ml_service.worker.attempts import Attempt, Batch
from ml_service.worker.batcher import Batcher
from ml_service.worker.claimer import RETRY_AFTER, Claimer
from ml_service.worker.desk import InHand
from ml_service.worker.keeper import ChildKeeper
from ml_service.worker.room import AHEAD_BELOW, BatchSeconds, batches_ahead, room
from ml_service.worker.runner import Runner
from shared.catalogue import ModelDescription, ModelState, ServedModel

log = structlog.get_logger(__name__)

PASS_ON_EVERY = 1.0  # seconds between looks at whether something here could be running elsewhere


class Lane:
    """Serves one model version. Whoever makes it runs `run`, and feeds it with `add` while there is `room`."""

    def __init__(self, keeper: ChildKeeper, claimer: Claimer, runner: Runner, on_room: asyncio.Event) -> None:
        self.keeper = keeper
        self.description: ModelDescription = keeper.description
        self._batching = keeper.batching
        self._claimer = claimer
        self._runner = runner
        self._on_room = on_room
        self._batcher: Batcher[InHand] = Batcher(keeper.batching, time.monotonic)
        self._claimed: asyncio.Queue[Batch] = asyncio.Queue()
        self._running: Batch | None = None
        self._occupied_at = 0.0  # when the child was last given a batch, or began to load
        self._unstarted = 0  # jobs being claimed, or claimed and waiting for the child
        self._closed = False
        self._woken = asyncio.Event()
        self._free = asyncio.Event()  # no batch is with the child, nor on its way there
        self._free.set()
        self._seconds = BatchSeconds()
        self.newest_claimed: datetime | None = None

    @property
    def served(self) -> ServedModel:
        return ServedModel(self.description.name, self.description.version, self.keeper.state, self.keeper.error)

    @property
    def ready(self) -> bool:
        return self.keeper.state is ModelState.READY

    @property
    def room(self) -> int:
        if not self.ready:
            return 0
        return room(
            max_size=self._batching.max_size,
            idle=self._running is None,
            ahead=self._ahead,
            pending=len(self._batcher) + self._unstarted,
        )

    @property
    def _ahead(self) -> int:
        """Batches to have at hand besides the one that runs: which takes at least as long as it has taken."""
        estimate = self._seconds.estimate
        return batches_ahead(None if estimate is None else max(estimate, self._occupied_for))

    @property
    def _occupied_for(self) -> float:
        """Seconds since the child could last take a batch; 0: it can."""
        occupied = self._running is not None or not self.ready
        return time.monotonic() - self._occupied_at if occupied else 0.0

    def add(self, jobs: Sequence[InHand]) -> None:
        for job in jobs:
            self._batcher.add(job)
        self._woken.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._claim_batches(), name=f"{self.description.name}: claim")
            tasks.create_task(self._run_batches(), name=f"{self.description.name}: run")
            tasks.create_task(self._pass_on(), name=f"{self.description.name}: pass on")

    def close(self) -> None:
        """The worker drains: claim nothing more."""
        self._closed = True

    def take_unclaimed(self) -> list[InHand]:
        """What waits here and was not claimed: to be put back, or left to the broker."""
        return self._batcher.take_all()

    def take_unstarted(self) -> list[Attempt]:
        """What was claimed and has not started: to be handed back."""
        batches = [self._claimed.get_nowait() for _ in range(self._claimed.qsize())]
        for batch in batches:
            if batch.started:
                self._claimed.put_nowait(batch)
        attempts = [attempt for batch in batches if not batch.started for attempt in batch.attempts]
        self._unstarted -= len(attempts)
        self._note_free()
        return attempts

    def stop(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """These were marked cancelled: see to it that they stop. -> those that no child has: taken out, to be settled."""
        if self._running is not None and not self._running.waiting:
            if any(attempt in self._running.attempts for attempt in attempts):
                self._running.stop_asked.set()
            return self._take_out(attempts)
        return self._take_out(attempts) + (_without(self._running, attempts) if self._running else [])

    def _take_out(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Of the batches that were claimed and wait for the child."""
        taken: list[Attempt] = []
        for batch in [self._claimed.get_nowait() for _ in range(self._claimed.qsize())]:
            taken += _without(batch, attempts)
            if batch.attempts or batch.started:  # a started one has entered the gate, and has to leave it
                self._claimed.put_nowait(batch)
        self._unstarted -= len(taken)
        self._note_free()
        return taken

    def hand_back(self) -> None:
        """The worker goes away: what runs is stopped at once, and queued again."""
        if self._running is not None:
            self._running.hand_back = True
            self._running.stop_asked.set()

    async def free(self) -> None:
        """Waits until no batch is with the child, nor on its way there."""
        await self._free.wait()

    def wake(self) -> None:
        """The child's state has changed."""
        if not self.ready:
            self._occupied_at = time.monotonic()
        self._woken.set()

    async def _claim_batches(self) -> None:
        while True:
            await self._until_due()
            jobs = self._batcher.take()
            # An idle child gets the batch at once: its start is noted with the claim, which saves a commit's time.
            starts = self._running is None and not self._unstarted and self._runner.gate.try_enter()
            self._unstarted += len(jobs)
            self._note_free()
            name, version = self.description.name, self.description.version
            attempts, again = await self._claimer.claim(name, version, jobs, starts=starts)
            self._unstarted -= len(jobs) - len(attempts)
            self._note_free()
            self._note_claimed(attempts)
            batches = _batches(attempts, started=starts)
            for batch in batches:
                self._claimed.put_nowait(batch)
            if starts and not any(batch.started for batch in batches):
                await self._runner.gate.leave(alone=False)
            self._on_room.set()
            if again:
                self._batcher.put_first(again)
                await asyncio.sleep(RETRY_AFTER)

    async def _until_due(self) -> None:
        """Waits until a batch should be claimed: there is one, and the child will want it."""
        while True:
            self._woken.clear()
            idle = self._running is None and not self._unstarted
            due = self._batcher.due_in(idle=idle) if self.ready and self._wants_more(idle=idle) else None
            if due == 0.0:
                return
            try:
                async with asyncio.timeout(due):
                    await self._woken.wait()
            except TimeoutError:
                pass

    def _wants_more(self, *, idle: bool) -> bool:
        if self._closed:
            return False
        return idle or self._unstarted < self._batching.max_size * self._ahead

    async def _run_batches(self) -> None:
        while True:
            batch = await self._claimed.get()
            self._running = batch
            self._unstarted -= len(batch.attempts)
            self._occupied_at = begin = time.monotonic()
            try:
                if await self._runner.run(batch, self.keeper):
                    self._seconds.note(time.monotonic() - begin)
            finally:
                self._running = None
                self._note_free()
                self._woken.set()
                self._on_room.set()

    async def _pass_on(self) -> None:
        """What came while the child was thought quick, or late, of a pull that was still open, goes to other workers."""
        while True:
            await asyncio.sleep(PASS_ON_EVERY)
            if self._occupied_for >= AHEAD_BELOW and not self._closed:
                await self._claimer.put_back(self.take_unclaimed())
                await self._runner.hand_back(self.take_unstarted())

    def _note_free(self) -> None:
        if self._running is None and not self._unstarted:
            self._free.set()
        else:
            self._free.clear()

    def _note_claimed(self, attempts: Sequence[Attempt]) -> None:
        times = [attempt.claimed.published_at for attempt in attempts if attempt.claimed.published_at]
        self.newest_claimed = max([*times, *([self.newest_claimed] if self.newest_claimed else [])], default=None)


def _batches(attempts: Sequence[Attempt], *, started: bool) -> list[Batch]:
    """Those that must run alone each by itself, the others together (rule 10). started: the others are."""
    together = [attempt for attempt in attempts if not attempt.claimed.alone]
    alone = [Batch([attempt], alone=True) for attempt in attempts if attempt.claimed.alone]
    return [*([Batch(together, alone=False, started=started)] if together else []), *alone]


def _without(batch: Batch, attempts: Sequence[Attempt]) -> list[Attempt]:
    """Takes them out of the batch. -> those that were in it."""
    taken = [attempt for attempt in batch.attempts if attempt in attempts]
    batch.attempts = [attempt for attempt in batch.attempts if attempt not in attempts]
    return taken
