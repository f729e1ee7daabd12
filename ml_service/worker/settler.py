"""Writing what attempts come to. It goes on trying until the database answers; only the fence may refuse (rule 7)."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import structlog

from ml_service.worker.attempts import Attempt, HeldAttempts
from ml_service.worker.desk import Desk
from ml_service.worker.event_writer import EventWriter
from ml_service.worker.large_results import LargeResults
from shared.database.entries import Ending
from shared.database.pool import Database
from shared.database.settlement import Settlement, in_parts, settle
from shared.errors import DatabaseRefused, DatabaseSlow, DatabaseUnavailable
from shared.failpoints import Failpoint, reached
from shared.states import ErrorCode, JobState

log = structlog.get_logger(__name__)

RETRY_FIRST, RETRY_MOST = 0.2, 5.0  # seconds between tries, doubling


class Settler:
    def __init__(
        self, db: Database, held: HeldAttempts, desk: Desk, events: EventWriter, results: LargeResults
    ) -> None:
        self._db = db
        self._held = held
        self._desk = desk
        self._results = results
        self.events = events

    async def settle(self, endings: Sequence[tuple[Attempt, Settlement]]) -> Mapping[UUID, JobState]:
        """Writes them, acks their messages, forgets them. Returns once the rows have spoken, with what became of each job.

        One that is missing was not this attempt's any more.
        """
        if not endings:
            return {}
        telling = [attempt for attempt, settlement in endings if self._worth_telling(attempt, settlement)]
        states = await self.persist([settlement for _, settlement in endings], telling)
        reached(Failpoint.WORKER_SETTLED)
        self.events.forget(attempt for attempt, _ in endings)
        for attempt, settlement in endings:
            if settlement.code is not None:
                log.warning("an attempt ended badly", **_log_context(settlement))
            if settlement.id not in states:
                log.warning(
                    "settlement refused: the job belongs to a newer attempt, or has ended", **_log_context(settlement)
                )
            self._held.discard(attempt)
        self._desk.done([attempt.in_hand for attempt, _ in endings])
        return states

    async def settle_large(self, large: list[tuple[Attempt, bytes]]) -> None:
        """Each as soon as its result is in the blob store; the list is emptied, as memory is short where it is long."""
        while large:
            attempt, result = large.pop()
            job_id, number = attempt.key
            stored = await self._results.store(attempt, result)
            reached(Failpoint.WORKER_STORED)
            del result
            settlement = Settlement(
                job_id,
                number,
                Ending.SUCCEEDED,
                result_key=stored.key,
                result_size=stored.size,
                result_sha256=stored.sha256,
            )
            states = await self.settle([(attempt, settlement)])
            if states.get(job_id) is not JobState.SUCCEEDED:
                await self._results.discard(self._db, attempt, stored)

    async def persist(
        self, settlements: Sequence[Settlement], telling: Collection[Attempt] = ()
    ) -> Mapping[UUID, JobState]:
        """The jobs whose row was still this attempt's, and what became of them.

        telling: what these have said is written before, if it can be.
        """
        states: dict[UUID, JobState] = {}
        for part in in_parts(settlements):  # one that was taken is not sent again
            states |= await self._persist_part(part, telling)
        return states

    async def _persist_part(
        self, settlements: Sequence[Settlement], telling: Collection[Attempt]
    ) -> Mapping[UUID, JobState]:
        delay = RETRY_FIRST
        while True:
            try:
                await self.events.flush(telling)
                return await settle(self._db, settlements)
            except DatabaseRefused as error:
                return await self._persist_refused(settlements, error)
            except DatabaseUnavailable as error:
                log.warning("not settled yet", jobs=len(settlements), error=str(error))
                if isinstance(error, DatabaseSlow) and len(settlements) > 1:
                    return await self._persist_halves(settlements, telling)
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_MOST)

    async def _persist_halves(
        self, settlements: Sequence[Settlement], telling: Collection[Attempt]
    ) -> Mapping[UUID, JobState]:
        """What took too long takes as long the next time: sent whole, it would be for ever."""
        half = len(settlements) // 2
        return {**await self.persist(settlements[:half], telling), **await self.persist(settlements[half:], telling)}

    async def _persist_refused(
        self, settlements: Sequence[Settlement], error: DatabaseRefused
    ) -> Mapping[UUID, JobState]:
        """A result that cannot be stored fails its own job, and only that: each is tried by itself."""
        if len(settlements) > 1:
            return {job_id: state for one in settlements for job_id, state in (await self.persist([one])).items()}
        (one,) = settlements
        log.error("a result cannot be stored", job_id=str(one.id), error=str(error))
        text = "the database refused the model's result"
        failed = Settlement(one.id, one.attempt, Ending.FAILED, code=ErrorCode.MODEL_ERROR, message=text)
        return await self.persist([failed])

    def _worth_telling(self, attempt: Attempt, settlement: Settlement) -> bool:
        """Not how far a job has come that has succeeded: for most jobs it would be a statement more, and a row."""
        return settlement.kind is not Ending.SUCCEEDED or not self.events.only_progress(attempt)


def _log_context(settlement: Settlement) -> dict[str, object]:
    return {
        "job_id": str(settlement.id),
        "attempt": settlement.attempt,
        "kind": settlement.kind.value,
        "code": settlement.code,
        "message": settlement.message,
    }


def ending(
    attempt: Attempt, kind: Ending, code: ErrorCode | None = None, message: str | None = None
) -> tuple[Attempt, Settlement]:
    """A settlement without a result. A lost or crowded-out job may be tried again."""
    job_id, number = attempt.key
    return attempt, Settlement(job_id, number, kind, code=code, message=message, retryable=kind is not Ending.FAILED)
