"""The reconciler (rules 6, 7, 11, 12): every few seconds it gets every job back on its way that something has dropped."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

import structlog

from api_service.counts import Counts
from shared.database.pool import Database, Transaction
from shared.database.reconciliation import (
    ROWS_PER_TICK,
    declare_dead,
    expire,
    forget_workers,
    note_ends,
    republish,
    requeue_orphans,
    try_lock,
)
from shared.errors import DatabaseBusy, DatabaseSlow, DatabaseUnavailable
from shared.failpoints import Failpoint, reached

log = structlog.get_logger(__name__)

# Seconds between ticks, give or take a fifth so that instances do not march in step; with a short lease more often.
TICK_EVERY = 2.0
TICKS_PER_LEASE = 10


class Contact:
    """Rule 7: how long the database has been in sight without a break, and its clock has gone as ours has.

    After it was away, or its clock has jumped, all leases look over.
    """

    def __init__(self, lease: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._clock = clock
        self._since: float | None = None
        self._broken = False
        self._latest = self._latest_there = 0.0

    def made(self, there: float) -> None:
        """there: seconds, what the database's clock says."""
        now = self._clock()
        passed = now - self._latest
        if self._since is not None:
            if passed > self._lease / 2:
                self.lost()
            # Set anew, or both machines were suspended, which our clock does not count.
            elif abs(jump := there - self._latest_there - passed) > self._lease / 2:
                log.warning("the database's clock has jumped: leases get time to be renewed", seconds=jump)
                self.lost()
        if self._since is None:
            self._since = now
        self._latest, self._latest_there = now, there

    def held_up(self) -> None:
        """It was there all the while, and said in the end that it was too busy with what it was asked: that is no gap."""
        now = self._clock()
        self._latest, self._latest_there = now, self._latest_there + now - self._latest

    def lost(self) -> None:
        self._since = None
        self._broken = True

    @property
    def long_enough(self) -> bool:
        return self._since is not None and self._clock() - self._since >= self._lease

    @property
    def mended(self) -> bool:
        """Whatever was missed is long enough ago; a process that has just started has missed nothing."""
        return self._since is not None and (not self._broken or self.long_enough)


class Reconciler:
    name = "reconciler"

    def __init__(self, db: Database, lease: float, on_queued: Callable[[], None], counts: Counts | None = None) -> None:
        """lease: seconds, as the workers have it. on_queued: called when jobs were queued again."""
        self._db = db
        self._lease = lease
        self._contact = Contact(lease)
        self._pause = min(TICK_EVERY, lease / TICKS_PER_LEASE)
        self._on_queued = on_queued
        self._counts = counts or Counts()

    async def run(self) -> None:
        while True:
            try:
                more = await self.tick()
            except DatabaseBusy as error:  # it met another's statement: that is contact, too
                log.info("a tick met a deadlock", error=str(error))
                more = False
            except DatabaseUnavailable as error:
                self._contact.lost()
                log.warning("not reconciled", error=str(error))
                more = False
            if not more:
                await asyncio.sleep(self._pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret

    async def tick(self) -> bool:
        """-> whether there is more to do at once.

        Each part is a transaction of its own: what one of them fails to do, time and again, neither undoes nor holds up
        what the others do. Only the first one's failure counts as a loss of contact.
        """
        counts = [await self._part(self._take_back)]
        for part in (self._expire, self._note_ends, self._publish_again, self._forget_workers):
            try:
                counts.append(await self._part(part))
            except DatabaseUnavailable as error:
                if isinstance(error, DatabaseBusy | DatabaseSlow):
                    self._contact.held_up()
                log.warning("a part of a tick is left to the next one", part=part.__name__.strip("_"), error=str(error))
        return ROWS_PER_TICK in counts

    async def _part(self, part: Callable[[Transaction], Awaitable[int]]) -> int:
        """-> the rows that it has changed; 0, too, while another instance is at it."""
        async with self._db.transaction() as tx:
            turn = await try_lock(tx)
            self._contact.made(turn.now)
            return await part(tx) if turn.mine else 0

    async def _take_back(self, tx: Transaction) -> int:
        if self._contact.long_enough:
            for worker in await declare_dead(tx):
                log.warning("a worker's lease is over: declared dead", worker=str(worker))
        orphans = await requeue_orphans(tx)
        if orphans:
            reached(Failpoint.RECONCILER_REQUEUED)
            _tell("taken back from workers that are gone", orphans)
            self._counts.requeued += len(orphans)
            self._on_queued()
        return len(orphans)

    async def _expire(self, tx: Transaction) -> int:
        """What went by while the database was away gets a lease in which it can be taken."""
        expired = await expire(tx) if self._contact.mended else []
        if expired:
            _tell("expired in the queue", expired)
            self._counts.expired += len(expired)
        return len(expired)

    async def _note_ends(self, tx: Transaction) -> int:
        unnoted = await note_ends(tx)
        if unnoted:
            log.info("ended by a service of the release before: noted", count=len(unnoted))
        return len(unnoted)

    async def _publish_again(self, tx: Transaction) -> int:
        forgotten = await republish(tx, self._lease)
        if forgotten:
            _tell("to be published again: the broker seems to have forgotten them", forgotten)
            self._counts.republished += len(forgotten)
            self._on_queued()
        return len(forgotten)

    async def _forget_workers(self, tx: Transaction) -> int:
        await forget_workers(tx)
        return 0


def _tell(what: str, jobs: Collection[UUID]) -> None:
    log.warning(what, count=len(jobs), jobs=[str(job_id) for job_id in list(jobs)[:20]])
