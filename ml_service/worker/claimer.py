"""From messages to attempts: claim a batch, and deal with those that cannot be claimed (rule 5)."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

import structlog

from ml_service.worker.attempts import Attempt, HeldAttempts
from ml_service.worker.desk import Desk, InHand
from ml_service.worker.incarnation import Incarnation
from shared.database.claims import Claimed, Unclaimed, claim, explain_unclaimed, put_back
from shared.database.pool import Database
from shared.errors import DatabaseUnavailable
from shared.failpoints import Failpoint, reached

log = structlog.get_logger(__name__)

# While the database does not answer, or our lease looks over, messages are kept and claimed again after this long.
RETRY_AFTER = 0.5  # seconds


class Claimer:
    def __init__(
        self,
        db: Database,
        desk: Desk,
        held: HeldAttempts,
        incarnation: Incarnation,
        serves: Callable[[], Collection[tuple[str, int]]],
    ) -> None:
        self._db = db
        self._desk = desk
        self._held = held
        self._incarnation = incarnation
        self._serves = serves

    async def claim(
        self, model: str, version: int, jobs: Sequence[InHand], *, starts: bool = False
    ) -> tuple[list[Attempt], list[InHand]]:
        """-> (what is ours now, what is to be claimed again after RETRY_AFTER). The rest is acked or put back.

        starts: notes the start of those that need not run alone, too.
        """
        by_id = {job.job_id: job for job in jobs}
        again = [job for job in jobs if by_id[job.job_id] is not job]  # two entries of one job: one after the other
        worker = self._incarnation.id
        attempts: list[Attempt] = []
        self._held.claiming |= by_id.keys()
        try:
            rows = await claim(self._db, worker, model, version, by_id.keys(), starts=starts)
            if rows:
                reached(Failpoint.WORKER_CLAIMED)
            attempts += [self._take(claimed, by_id.pop(claimed.id), worker) for claimed in rows]
            if by_id:
                again += await self._sort_out(worker, list(by_id.values()))
        except DatabaseUnavailable as error:
            # If the claim happened and only its answer was lost, the heartbeat finds it and hands it back (rule 6).
            log.warning("not claimed yet", model=model, jobs=len(by_id), error=str(error))
            again += by_id.values()
        finally:
            self._held.claiming.difference_update(job.job_id for job in jobs)
        return attempts, again

    def _take(self, claimed: Claimed, job: InHand, worker: UUID) -> Attempt:
        attempt = Attempt(claimed, job, worker)
        self._held.add(attempt)
        return attempt

    async def _sort_out(self, worker: UUID, jobs: Sequence[InHand]) -> list[InHand]:
        """Acks or puts back what is not for us. -> what is to be claimed again."""
        reasons = await explain_unclaimed(self._db, worker, self._serves(), [job.job_id for job in jobs])
        sorted_jobs: dict[Unclaimed, list[InHand]] = defaultdict(list)
        for job in jobs:
            sorted_jobs[reasons[job.job_id]].append(job)
        self._desk.done(sorted_jobs[Unclaimed.ROW])
        await self.put_back([*sorted_jobs[Unclaimed.NOT_SERVED], *sorted_jobs[Unclaimed.NOT_DUE]])
        if sorted_jobs[Unclaimed.WORKER_NOT_ALIVE]:
            self._incarnation.beat_soon()
        return [*sorted_jobs[Unclaimed.WORKER_NOT_ALIVE], *sorted_jobs[Unclaimed.CLAIMABLE]]

    async def put_back(self, jobs: Sequence[InHand]) -> None:
        """Jobs that this worker does not serve, or not soon, or that are not due: back through the row, for whoever takes them."""
        while jobs:
            try:
                back = await put_back(self._db, [(job.job_id, job.message.publish_no) for job in jobs])
            except DatabaseUnavailable as error:
                log.warning("not put back yet", jobs=len(jobs), error=str(error))
                await asyncio.sleep(RETRY_AFTER)
            else:
                log.info("put back", jobs=len(jobs), rows=len(back))
                self._desk.done(jobs)
                return
