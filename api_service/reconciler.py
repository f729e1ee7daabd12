"""The reconciler (rules 6, 7, 11, 12): every few seconds it gets every job back on its way that something has dropped."""

import asyncio
import random
import time
from collections.abc import Callable

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
from shared.errors import DatabaseBusy, DatabaseUnavailable
from shared.failpoints import Failpoint, reached

log = structlog.get_logger(__name__)

# Seconds between ticks, give or take a fifth so that instances do not march in step; with a short lease more often.
TICK_EVERY = 2.0
TICKS_PER_LEASE = 10


class Contact:
    """Rule 7: how long the database has been in sight without a break. After it was away all leases look over."""

    def __init__(self, lease: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._clock = clock
        self._since: float | None = None
        self._latest = 0.0

    def made(self) -> None:
        now = self._clock()
        # A long gap between two ticks: we were frozen, and know nothing of the time in between.
        if self._since is None or now - self._latest > self._lease / 2:
            self._since = now
        self._latest = now

    def lost(self) -> None:
        self._since = None

    @property
    def long_enough(self) -> bool:
        return self._since is not None and self._clock() - self._since >= self._lease


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
        """One transaction. -> whether there is more to do at once."""
        async with self._db.transaction() as tx:
            self._contact.made()
            return await self._reconcile(tx) if await try_lock(tx) else False

    async def _reconcile(self, tx: Transaction) -> bool:
        if self._contact.long_enough:
            for worker in await declare_dead(tx):
                log.warning("a worker's lease is over: declared dead", worker=str(worker))
        orphans = await requeue_orphans(tx)
        if orphans:
            reached(Failpoint.RECONCILER_REQUEUED)
        expired = await expire(tx)
        unnoted = await note_ends(tx)
        forgotten = await republish(tx, self._lease)
        await forget_workers(tx)
        for text, jobs in (
            ("taken back from workers that are gone", orphans),
            ("expired in the queue", expired),
            ("to be published again: the broker seems to have forgotten them", forgotten),
        ):
            if jobs:
                log.warning(text, count=len(jobs), jobs=[str(job_id) for job_id in list(jobs)[:20]])
        if unnoted:
            log.info("ended by a service of the release before: noted", count=len(unnoted))
        self._counts.requeued += len(orphans)
        self._counts.expired += len(expired)
        self._counts.republished += len(forgotten)
        if orphans or forgotten:
            self._on_queued()
        return ROWS_PER_TICK in {len(orphans), len(expired), len(unnoted), len(forgotten)}
