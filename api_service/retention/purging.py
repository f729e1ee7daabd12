"""Purging what its retention is over for: results, then rows, then uploads that nobody refers to any more (rule 12)."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from api_service.blob_removal import remove_blobs
from api_service.counts import Counts
from shared.blobs import Blobs
from shared.database.pool import Database, Transaction
from shared.database.retention import (
    ROWS_PER_TICK,
    Purged,
    purge_results,
    purge_rows,
    purge_uploads,
    try_lock,
)
from shared.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

# Seconds between ticks, give or take a fifth. Nobody waits for a purge: it is about days.
TICK_EVERY = 5.0
# Looks past every old upload that is still referred to, so it is not made each time.
UPLOADS_EVERY = 60.0

Step = Callable[[Transaction], Awaitable[Purged]]


class Purging:
    """upload_retention: seconds."""

    name = "retention"

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        upload_retention: float,
        counts: Counts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._upload_retention = upload_retention
        self._counts = counts or Counts()
        self._clock = clock
        self._uploads_due = clock()

    async def run(self) -> None:
        while True:
            try:
                more = await self.tick()
            except DatabaseUnavailable as error:
                log.warning("nothing is purged", error=str(error))
                more = False
            if not more:
                await asyncio.sleep(TICK_EVERY * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret

    async def tick(self) -> bool:
        """-> whether there is more to do at once."""
        results, rows = await self._purge(purge_results), await self._purge(purge_rows)
        uploads = 0
        if self._clock() >= self._uploads_due:
            uploads = await self._purge(partial(purge_uploads, age=self._upload_retention))
            if uploads < ROWS_PER_TICK:
                self._uploads_due = self._clock() + UPLOADS_EVERY
        self._counts.purged_results += results
        self._counts.purged_rows += rows
        self._counts.purged_uploads += uploads
        if results or rows or uploads:
            log.info("purged", results=results, jobs=rows, uploads=uploads)
        # Rows that bring many events with them come in smaller portions: only an empty one is the last.
        return ROWS_PER_TICK in {results, uploads} or rows > 0

    async def _purge(self, step: Step) -> int:
        """One transaction, and then the files. -> how many were purged; 0, too, where another instance is at it."""
        async with self._db.transaction() as tx:
            purged = await step(tx) if await try_lock(tx) else Purged((), ())
        await remove_blobs(self._blobs, purged.keys)
        return len(purged.ids)
