"""Looking for orphans: files that nothing points at. Their rows went without them, or they never had any.

Slow on purpose: it lists the whole store. What is not named as we name files is left alone.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from uuid import UUID

import structlog

from api_service.blob_removal import remove_blobs
from api_service.counts import Counts
from shared.blob_keys import OfAttempt, OfUpload, parse_key
from shared.blobs import Blobs
from shared.database.pool import Database
from shared.database.retention import SWEEP_LOCK, results_in_use, uploads_in_use
from shared.errors import BlobMissing, BlobsUnavailable, DatabaseUnavailable

log = structlog.get_logger(__name__)

KEYS_AT_ONCE = 500  # looked up by one statement
# Looked at by one sweep; the next one goes on behind them.
KEYS_PER_SWEEP = 100_000
PAUSE = 0.05  # seconds after each statement: nobody is in a hurry, and others use the database, too
FIRST_AFTER = 60.0  # seconds after the start, at most: a process that is started again and again sweeps, too
# Foreign files: how many are named in one line of the log, and how many are remembered as told of.
EXAMPLES = 20
MOST_TOLD = 10_000


class Sweep:
    """age, every: seconds. One instance at a time; two would do no harm, only the same work twice."""

    name = "sweep"

    def __init__(self, db: Database, blobs: Blobs, age: float, every: float, counts: Counts | None = None) -> None:
        self._db = db
        self._blobs = blobs
        self._age = timedelta(seconds=age)
        self._every = every
        self._counts = counts or Counts()
        self._after = ""  # the last topmost folder that was done with
        self._told: set[str] = set()  # foreign keys that were named in the log

    async def run(self) -> None:
        await asyncio.sleep(min(FIRST_AFTER, self._every) * random.random())  # noqa: S311 - jitter, not a secret
        while True:
            try:
                await self.sweep()
            except (BlobMissing, BlobsUnavailable, DatabaseUnavailable) as error:
                log.warning("the sweep broke off; it goes on where it was", after=self._after, error=str(error))
            await asyncio.sleep(self._every * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret

    async def sweep(self) -> None:
        """Goes on where the last one ended. Raises BlobsUnavailable, DatabaseUnavailable."""
        async with self._db.alone(SWEEP_LOCK) as mine:
            if mine:
                await self._sweep()

    async def _sweep(self) -> None:
        seen = removed = 0
        async for keys in _portions(self._blobs.older_than(self._age, self._after)):
            removed += await self._remove_orphans(keys)
            seen += len(keys)
            self._after = _topmost(keys[-1])
            if seen >= KEYS_PER_SWEEP:
                break
            await asyncio.sleep(PAUSE)
        else:
            self._after = ""
        log.info("swept the blob store", old_files=seen, removed=removed, goes_on_after=self._after or None)

    async def _remove_orphans(self, keys: Sequence[str]) -> int:
        written: dict[str, tuple[UUID, int]] = {}
        uploaded: dict[str, UUID] = {}
        foreign: set[str] = set()
        for key in keys:
            match parse_key(key):
                case OfAttempt(job_id, attempt):
                    written[key] = job_id, attempt
                case OfUpload(upload_id):
                    uploaded[key] = upload_id
                case None:
                    foreign.add(key)
        self._tell_of(foreign)
        used = await results_in_use(self._db, written) if written else set()
        known = await uploads_in_use(self._db, uploaded.values()) if uploaded else set()
        orphans = [key for key in written if key not in used]
        orphans += [key for key, upload_id in uploaded.items() if upload_id not in known]
        for key in orphans:
            log.info("removing a file without a row", key=key)
        removed = await remove_blobs(self._blobs, orphans)
        self._counts.removed_orphans += removed
        return removed

    def _tell_of(self, foreign: AbstractSet[str]) -> None:
        """Once of each, and of no more than memory has place for."""
        new = foreign - self._told
        if new and len(self._told) < MOST_TOLD:
            self._told |= new
            log.warning("files that are not ours are left alone", count=len(new), for_example=sorted(new)[:EXAMPLES])


async def _portions(folders: AsyncIterator[list[str]]) -> AsyncIterator[list[str]]:
    """The same keys, as many at once as are looked up at once: most folders have one."""
    portion: list[str] = []
    async for keys in folders:
        portion += keys
        while len(portion) >= KEYS_AT_ONCE:
            yield portion[:KEYS_AT_ONCE]
            portion = portion[KEYS_AT_ONCE:]
    if portion:
        yield portion


def _topmost(key: str) -> str:
    """What a sweep goes on behind: the rest of that folder's turn comes with the next round. "": a file beside the folders."""
    folder, slash, _ = key.partition("/")
    return folder if slash else ""
