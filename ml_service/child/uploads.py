"""The uploads that a job's input refers to, read by the process that needs them: its parent stays free to renew leases."""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from shared.blobs import Blobs
from shared.errors import BlobMissing, BlobsUnavailable, InvalidInput, RetryableError
from shared.uploads import Readable, blob_key

logger = logging.getLogger(__name__)

ONE_TRY = 1.0  # seconds that a store gets to answer, at least
FIRST_DELAY, LONGEST_DELAY = 0.25, 5.0  # seconds between two tries, doubling


@dataclass(slots=True)
class UploadStore:
    """url: of the blobs. most: bytes of one upload that this process takes into its memory."""

    url: str
    most: int
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _blobs: Blobs | None = field(default=None, init=False)

    def load(self, upload: UUID, most: int, within: float) -> bytes:
        """The first `most` bytes, within so many seconds. Raises BlobMissing, BlobsUnavailable."""
        if self._blobs is None:  # most models never read one
            self._blobs = Blobs(self.url)
        return self._blobs.load(blob_key(upload), most, within)


@dataclass(frozen=True, slots=True)
class JobUploads:
    """Those of one job. until: by the store's clock, how long to wait for a store that does not answer."""

    store: UploadStore
    allowed: Mapping[UUID, Readable]  # what its row says it refers to: those are its owner's
    until: float

    def read(self, upload: UUID) -> bytes:
        """Just what was sent, or nothing: a store may have lost some of it, or not have all of it yet.

        Raises InvalidInput, RetryableError.
        """
        sent = self.allowed.get(upload)
        if sent is None:
            raise InvalidInput(f"upload {upload}: the job does not refer to it in a place where its model has files")
        if sent.size > self.store.most:
            raise InvalidInput(f"upload {upload}: more than the {self.store.most} bytes that are read for one file")
        content = self._patiently(sent)
        if hashlib.sha256(content).hexdigest() != sent.sha256:
            logger.error("upload %s is not what was sent: %d of its %d bytes read", upload, len(content), sent.size)
            raise RetryableError(f"upload {upload}: the store for files does not have it as it was sent")
        return content

    def _patiently(self, sent: Readable) -> bytes:
        """A byte more than it should have, where there is one."""
        upload = sent.id
        delay = FIRST_DELAY
        while True:
            try:
                return self.store.load(upload, sent.size + 1, max(ONE_TRY, self.until - self.store.clock()))
            except BlobMissing as error:
                raise InvalidInput(f"upload {upload}: not there any more") from error
            except BlobsUnavailable as error:
                logger.warning("upload %s not read yet: %s", upload, error)
                if self.store.clock() + delay > self.until:
                    raise RetryableError(f"upload {upload}: the store for files does not answer") from error
            self.store.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)
