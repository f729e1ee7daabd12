"""From a request to a stored file."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from uuid_utils.compat import uuid7

from api_service.body import refuse_encoded, refuse_larger
from api_service.errors import UploadsBusy
from api_service.uploads.form import OVERHEAD, boundary_of, file_in
from api_service.uploads.receiving import chunks_of
from api_service.uploads.sniffing import Head
from shared.blobs import Blobs
from shared.database.pool import Database
from shared.database.uploads import insert_upload
from shared.uploads import Upload, blob_key

# In one process. Into a folder each takes half a megabyte of memory, into a bucket some ten: what it sends at once.
AT_ONCE = 32


class UploadIntake:
    """limit: bytes of a file."""

    def __init__(self, db: Database, blobs: Blobs, limit: int) -> None:
        self._db = db
        self._blobs = blobs
        self._limit = limit
        self._under_way = 0

    async def take(self, owner: str, request: Request) -> Upload:
        """The body is the file, or a form with it. Stored and registered on return; after an error nothing of it is.

        Raises EncodedBody, MalformedForm, BodyTooLarge, BodyTooSlow, ClientDisconnect, UploadsBusy, BlobsUnavailable,
        DatabaseUnavailable.
        """
        content = self._content(request)
        if self._under_way >= AT_ONCE:
            raise UploadsBusy(f"{AT_ONCE} uploads are under way already. Try again in a moment.")
        self._under_way += 1
        try:
            return await self._store(owner, content)
        finally:
            self._under_way -= 1

    def _content(self, request: Request) -> AsyncIterator[bytes]:
        """Not read yet, but refused where its head says enough."""
        refuse_encoded(request)
        too_large = f"A file may have {self._limit} bytes."
        boundary = boundary_of(request.headers.get("content-type"))
        most = self._limit if boundary is None else self._limit + OVERHEAD
        refuse_larger(request, most, too_large)
        chunks = chunks_of(request, most, too_large)
        return chunks if boundary is None else file_in(chunks, boundary, self._limit, too_large)

    async def _store(self, owner: str, content: AsyncIterator[bytes]) -> Upload:
        upload_id, head = uuid7(), Head()
        key = blob_key(upload_id)
        written = await self._blobs.create(key, head.noting(content))
        upload = Upload(upload_id, owner, key, written.size, head.content_type(written.size), written.sha256)
        # If this fails, the row may be there all the same: a blob without one is removed in time.
        await insert_upload(self._db, upload)
        return upload
