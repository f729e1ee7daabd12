"""Inputs that are uploads, checked as any input is: small ones here, others in a process of their own."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

import api_service
from api_service.errors import MalformedBody
from api_service.schema_check import Checked, Key, SchemaCheck
from api_service.uploads.document_check import Answer, Question, not_json
from shared.blobs import Blobs
from shared.catalogue import JsonSchema
from shared.errors import BlobMissing, BlobsUnavailable, Fault
from shared.uploads import Upload

log = structlog.get_logger(__name__)

MEMORY = 2 * 1024**3  # a document of 100 MiB takes 0.3 to 1 GB if it is not made of tiny parts
PATIENCE = 60.0  # seconds: a hundred megabytes take some five
_SOURCES = Path(api_service.__file__).parents[1]


class Documents:
    """here: bytes of the largest document that is checked in this process, where it takes as long as an inline input.

    memory: bytes of addresses that another process gets.
    """

    def __init__(self, blobs: Blobs, blob_url: str, schemas: SchemaCheck, here: int, memory: int = MEMORY) -> None:
        self._blobs = blobs
        self._blob_url = blob_url
        self._schemas = schemas
        self._here = here
        self._memory = memory
        self._one_at_a_time = asyncio.Semaphore(1)  # each may take as much memory as all the rest of this process

    async def check(self, key: Key, schema: JsonSchema, upload: Upload) -> Checked:
        """Paths are those in the document, or `/upload`. Raises InvalidModel, BlobsUnavailable."""
        try:
            if upload.size > self._here:
                async with self._one_at_a_time:
                    return await self._check_elsewhere(key, schema, upload)
            return self._schemas.check(key, schema, await self._blobs.read_all(upload.key))
        except BlobMissing:
            return Checked([Fault("/upload", "The upload is not there any more.")])
        except MalformedBody as error:
            return not_json(error)

    async def _check_elsewhere(self, key: Key, schema: JsonSchema, upload: Upload) -> Checked:
        question = Question(key, schema, self._blob_url, upload.key, upload.size, self._memory)
        self._schemas.check(key, schema, b"null")  # a schema that cannot be used is the model's fault, and said here
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api_service.uploads.document_check"),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, (str(_SOURCES), os.environ.get("PYTHONPATH")))),
            },
        )
        try:
            async with asyncio.timeout(PATIENCE):
                said, _ = await process.communicate(msgspec.json.encode(question))
        except TimeoutError:
            return Checked([Fault("/upload", f"Checking the document took more than {PATIENCE:.0f} s.")])
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
        return _heard(said, process.returncode)


def _heard(said: bytes, status: int | None) -> Checked:
    """A process that was killed, or gave up, had not enough memory."""
    if not said:
        log.warning("a document could not be checked", status=status)
        return Checked([Fault("/upload", "Checking the document takes too much memory: it has too many parts.")])
    answer = msgspec.json.decode(said, type=Answer)
    if answer.missing:
        raise BlobMissing("The blob is not there.")
    if answer.unavailable is not None:
        raise BlobsUnavailable(answer.unavailable)
    return Checked(answer.faults, answer.references)
