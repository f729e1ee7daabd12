"""Results that are too large for a row, on their way into the blob store. They wait in memory, so only so many may.

As with settlements, only the fence may refuse (rule 7): where the store is away, it is tried until it takes them.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from ml_service.worker.attempts import Attempt
from shared.blob_keys import new_key
from shared.blobs import CHUNK, Blobs
from shared.database.pool import Database
from shared.database.retention import results_in_use
from shared.errors import BlobsUnavailable, DatabaseUnavailable

log = structlog.get_logger(__name__)

RETRY_FIRST, RETRY_MOST = 0.2, 5.0  # seconds between tries, doubling
# Bytes that may wait for the store while another batch is computed. A model's batch is in memory besides.
MOST_WAITING = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """size: bytes. sha256: in hexadecimal."""

    key: str
    size: int
    sha256: str


class LargeResults:
    """Of all lanes of a worker. inline_limit: bytes that a result may have in its row."""

    def __init__(self, blobs: Blobs, inline_limit: int) -> None:
        self._blobs = blobs
        self._inline_limit = inline_limit
        self._waiting = 0  # bytes
        self._fewer = asyncio.Event()

    def is_large(self, result: bytes) -> bool:
        return len(result) > self._inline_limit

    def expect(self, result: bytes) -> None:
        """It will be given to `store`; until that has it in the blob store it counts."""
        self._waiting += len(result)

    async def room(self) -> None:
        """Waits until another batch may be computed."""
        while self._waiting > MOST_WAITING:
            self._fewer.clear()
            await self._fewer.wait()

    async def store(self, attempt: Attempt, result: bytes) -> Stored:
        """Goes on until the blob store has it. Each try has a key of its own: nobody knows what became of the last one."""
        delay = RETRY_FIRST
        job_id, number = attempt.key
        try:
            while True:
                key = new_key(job_id, number)
                try:
                    written = await self._blobs.create(key, _pieces(result))
                except BlobsUnavailable as error:
                    log.warning("result not stored yet", job_id=str(job_id), size=len(result), error=str(error))
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, RETRY_MOST)
                else:
                    return Stored(key, written.size, written.sha256)
        finally:
            self._waiting -= len(result)
            self._fewer.set()

    async def discard(self, db: Database, attempt: Attempt, stored: Stored) -> None:
        """After the fence has refused it, unless it was settled before, and only the answer was lost.

        If that cannot be found out, or the file not removed, it is left to the sweep.
        """
        try:
            if not await results_in_use(db, {stored.key: attempt.key}):
                await self._blobs.delete([stored.key])
        except (DatabaseUnavailable, BlobsUnavailable) as error:
            log.warning("a file without a row is left to the sweep", key=stored.key, error=str(error))


async def _pieces(result: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(result), CHUNK):
        yield result[begin : begin + CHUNK]
