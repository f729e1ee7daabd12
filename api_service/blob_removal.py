"""Removing files whose rows are gone. Row, commit, file: what goes wrong here leaves a file without a row, for the sweep."""

import asyncio
from collections.abc import Collection

import structlog

from shared.blobs import Blobs
from shared.errors import BlobsUnavailable

log = structlog.get_logger(__name__)

PATIENCE = 10.0  # seconds for each: a store that hangs must not hold who asked


async def remove_blobs(blobs: Blobs, keys: Collection[str]) -> int:
    """-> how many. The first that cannot be removed ends it: the others would not fare better."""
    for removed, key in enumerate(keys):
        try:
            async with asyncio.timeout(PATIENCE):
                await blobs.delete([key])
        except (BlobsUnavailable, TimeoutError) as error:
            log.warning("files without a row are left to the sweep", count=len(keys) - removed, error=str(error))
            return removed
    return len(keys)
