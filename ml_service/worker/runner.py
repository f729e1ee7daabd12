"""Running one batch: note the start, hand it to the child, watch it, and have the outcomes settled."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog

from ml_service.child.errors import ChildDied, ModelLoadFailed
from ml_service.child.messages import BatchItem, Failed, Outcome, Said, Stopped, Succeeded
from ml_service.child.process import ModelProcess
from ml_service.worker.attempts import Attempt, Batch, HeldAttempts
from ml_service.worker.claimer import RETRY_AFTER
from ml_service.worker.desk import Desk
from ml_service.worker.gate import LoneGate
from ml_service.worker.incarnation import Incarnation
from ml_service.worker.keeper import ChildKeeper
from ml_service.worker.large_results import LargeResults
from ml_service.worker.settler import Settler, ending
from ml_service.worker.side_work import SideWork
from shared.database.claims import Started, start
from shared.database.entries import Ending
from shared.database.pool import Database
from shared.database.settlement import Settlement
from shared.errors import DatabaseUnavailable
from shared.failpoints import Failpoint, reached
from shared.states import ErrorCode
from shared.tracing import job_spans

log = structlog.get_logger(__name__)

# How long a batch waits for a store of files that does not answer: then its jobs are tried again later, by a worker that
# may have been luckier; and before the time limit, which would be final.
UPLOADS_PATIENCE = 60.0  # seconds
UPLOADS_SHARE = 0.5  # of the time limit

Endings = Sequence[tuple[Attempt, Settlement]]
Large = list[tuple[Attempt, bytes]]  # results that go to the blob store before their attempts are settled


class Runner:
    """Shared by all lanes of a worker; the gate keeps lone attempts alone."""

    def __init__(
        self,
        db: Database,
        incarnation: Incarnation,
        held: HeldAttempts,
        desk: Desk,
        settler: Settler,
        results: LargeResults,
        cancel_grace: float,
        batch_grace: float,
    ) -> None:
        self._db = db
        self._incarnation = incarnation
        self._held = held
        self._desk = desk
        self._settler = settler
        self._results = results
        self._cancel_grace = cancel_grace
        self._batch_grace = batch_grace
        self.gate = LoneGate()
        self.settling = SideWork()

    async def run(self, batch: Batch, keeper: ChildKeeper) -> bool:
        """Returns when the child may have another batch; whether it computed. The settlement goes on behind.

        The next batch waits only where too many large results do: for the blob store to take them.
        """
        if not batch.started:
            try:
                await keeper.child()  # before the gate: who waits for a model to load must not hold up the others
            except ModelLoadFailed as error:
                batch.waiting = False
                await self._settler.settle(_not_loaded(batch, error))
                return False
            await self.gate.enter(alone=batch.alone)
        endings: Endings = ()
        large: Large = []
        computed = False
        try:
            child = await keeper.fit_child(alone=batch.alone)
            batch.waiting = False
            if batch.attempts and not batch.started:
                reached(Failpoint.WORKER_STARTING)
                await self._start(batch)
            if batch.attempts:
                reached(Failpoint.WORKER_STARTED)
                traces = [(attempt.claimed.id, attempt.in_hand.message.traceparent) for attempt in batch.attempts]
                with job_spans("run", traces):
                    (endings, large), computed = await self._compute(batch, child), True
                reached(Failpoint.WORKER_COMPUTED)
                keeper.retire(child)
        except ModelLoadFailed as error:
            endings = _not_loaded(batch, error)
        finally:
            waits = bool(large)
            self._settle_behind(endings, large, alone=batch.alone)
        if waits:
            await self._results.room()
        return computed

    async def hand_back(self, attempts: Sequence[Attempt]) -> None:
        """Claimed, and not started: back to the queue, uncharged."""
        await self._settler.settle([ending(attempt, Ending.HANDED_BACK) for attempt in attempts])

    async def settle_stopped(self, attempts: Sequence[Attempt]) -> None:
        """Cancelled, and no child has them (rule 8)."""
        await self._settler.settle([ending(attempt, Ending.STOPPED) for attempt in attempts])

    async def finish_settling(self) -> None:
        """Waits until everything that was computed has been settled."""
        await self.settling.finish()

    def _settle_behind(self, endings: Endings, large: Large, *, alone: bool) -> None:
        """What is small first: it need not wait for the blob store."""
        for _, result in large:
            self._results.expect(result)

        async def settle() -> None:
            try:
                await self._settler.settle(endings)
                await self._settler.settle_large(large)
            finally:
                await self.gate.leave(alone=alone)

        self.settling.start(settle(), "settle")

    async def _start(self, batch: Batch) -> None:
        """Notes the start and leaves in the batch what may go to the child (rules 8 and 9)."""
        started = await self._note_start(batch)
        await self.settle_stopped([one for one in batch.attempts if one.claimed.id in started.cancelling])
        gone = [attempt for attempt in batch.attempts if attempt.claimed.id not in started.running | started.cancelling]
        if gone:
            log.warning("not started: these belong to newer attempts", jobs=[str(one.claimed.id) for one in gone])
        for attempt in gone:
            self._held.discard(attempt)
        if started.worker_alive:
            self._desk.done([attempt.in_hand for attempt in gone])
        else:
            self._desk.drop([attempt.in_hand for attempt in gone])
        batch.attempts = [attempt for attempt in batch.attempts if attempt.claimed.id in started.running]

    async def _note_start(self, batch: Batch) -> Started:
        """Goes on until the rows have answered, or the incarnation that claimed them is no more."""
        worker: UUID = batch.attempts[0].worker
        while True:
            try:
                started = await start(self._db, worker, [attempt.key for attempt in batch.attempts])
            except DatabaseUnavailable as error:
                log.warning("start not noted yet", jobs=len(batch.attempts), error=str(error))
            else:
                if started.worker_alive or worker != self._incarnation.id:
                    return started
                self._incarnation.beat_soon()
            await asyncio.sleep(RETRY_AFTER)

    async def _compute(self, batch: Batch, child: ModelProcess) -> tuple[Endings, Large]:
        attempts = list(batch.attempts)

        def on_said(said: Said) -> None:
            for attempt in attempts if said.item is None else [attempts[said.item]]:
                self._settler.events.note(attempt, said)

        items = [BatchItem(attempt.claimed.input.encode(), attempt.claimed.uploads) for attempt in attempts]
        patience = min(UPLOADS_PATIENCE, batch.timeout * UPLOADS_SHARE)
        running = asyncio.create_task(child.run(items, on_said, patience=patience), name="batch")
        try:
            verdict = await self._watch(batch, child, running)
        except asyncio.CancelledError:
            running.cancel()  # the worker hurries: nobody will hear of this batch
            raise
        try:
            outcomes = await running
            death = ChildDied("it gave no outcome")
        except ChildDied as died:
            outcomes, death = died.outcomes, died
        endings: list[tuple[Attempt, Settlement]] = []
        large: Large = []
        for place, attempt in enumerate(attempts):
            match outcomes.get(place):
                case None:
                    endings.append(_unfinished(attempt, verdict, death))
                case Succeeded(result=result) if self._results.is_large(result):
                    large.append((attempt, result))
                case outcome:
                    endings.append(_settlement_of(attempt, outcome))
        return endings, large

    async def _watch(
        self, batch: Batch, child: ModelProcess, running: asyncio.Task[dict[int, Outcome]]
    ) -> Ending | None:
        """Until the batch has ended. Kills the child at the batch's time limit, or when what must stop does not.

        -> why it was killed: CROWDED_OUT or FAILED (the time limit, of several or of one), STOPPED, HANDED_BACK, or None.
        """
        loop = asyncio.get_running_loop()
        deadline, verdict = (
            loop.time() + batch.timeout,
            Ending.CROWDED_OUT if len(batch.attempts) > 1 else Ending.FAILED,
        )
        told: set[int] = set()
        while not running.done():
            asked = asyncio.create_task(batch.stop_asked.wait())
            both: set[asyncio.Task[Any]] = {running, asked}
            await asyncio.wait(both, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if running.done():
                break
            if batch.stop_asked.is_set():
                batch.stop_asked.clear()
                if batch.hand_back:
                    await child.kill()
                    return Ending.HANDED_BACK
                told |= self._tell_cancelled(batch, child)
                if not told:
                    continue  # asked for one that was found cancelled at the start: it is not in this batch any more
                grace = self._cancel_grace if len(told) == len(batch.attempts) else self._batch_grace
                if loop.time() + grace < deadline:
                    deadline, verdict = loop.time() + grace, Ending.STOPPED
            elif loop.time() >= deadline:
                log.warning("killing the model's process", reason=verdict, jobs=len(batch.attempts), pid=child.pid)
                await child.kill()
                return verdict
        return None

    def _tell_cancelled(self, batch: Batch, child: ModelProcess) -> set[int]:
        places = {place for place, attempt in enumerate(batch.attempts) if attempt.cancelled}
        for place in places:
            child.cancel(place)
        return places


def _not_loaded(batch: Batch, error: ModelLoadFailed) -> Endings:
    text = f"the model could not be loaded: {error}"
    return [ending(attempt, Ending.LOST_UNSTARTED, ErrorCode.MODEL_LOAD_FAILED, text) for attempt in batch.attempts]


def _settlement_of(attempt: Attempt, outcome: Outcome) -> tuple[Attempt, Settlement]:
    job_id, number = attempt.key
    match outcome:
        case Succeeded(result=result):
            return attempt, Settlement(job_id, number, Ending.SUCCEEDED, result=result.decode())
        case Failed(code=code, message=message, retryable=retryable):
            kind = Ending.RETRYABLE if retryable else Ending.FAILED
            return attempt, Settlement(job_id, number, kind, code=code, message=message, retryable=retryable)
        case Stopped():
            return ending(attempt, Ending.STOPPED)


def _unfinished(attempt: Attempt, verdict: Ending | None, death: ChildDied) -> tuple[Attempt, Settlement]:
    """What an item without an outcome comes to, when its child was killed (verdict) or died (None)."""
    limit = f"{attempt.claimed.execution_timeout:g} s"
    match verdict:
        case Ending.FAILED:
            text = f"ran longer than its execution_timeout of {limit} and was stopped"
            return ending(attempt, verdict, ErrorCode.EXECUTION_TIMEOUT, text)
        case Ending.CROWDED_OUT:
            text = f"its batch ran longer than {limit} and was stopped; it runs alone next"
            return ending(attempt, verdict, ErrorCode.EXECUTION_TIMEOUT, text)
        case Ending.HANDED_BACK:
            return ending(attempt, verdict)
        case Ending.STOPPED if attempt.cancelled:
            return ending(attempt, verdict)
        case Ending.STOPPED:
            text = "stopped together with a cancelled job of its batch; it runs alone next"
            return ending(attempt, Ending.CROWDED_OUT, ErrorCode.WORKER_LOST, text)
        case _:
            code = ErrorCode.OUT_OF_MEMORY if death.overgrown else ErrorCode.WORKER_LOST
            return ending(attempt, Ending.LOST, code, str(death))
