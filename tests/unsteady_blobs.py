"""A real blob store that fails when a test wants it to."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing

from shared.blobs import Blobs, Written
from shared.errors import BlobsUnavailable


class UnsteadyBlobs(Blobs):
    """away: nothing is done. tried: how often each call was made."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.away = False
        self.tried: Counter[str] = Counter()
        self._happened = asyncio.Event()

    async def until(self, condition: Callable[[], bool], limit: float = 10.0) -> None:
        """Looks whenever something was asked of the store."""
        async with asyncio.timeout(limit):
            while not condition():
                self._happened.clear()
                await self._happened.wait()

    async def create(self, key: str, chunks: AsyncIterator[bytes]) -> Written:
        self._try("create")
        return await super().create(key, chunks)

    async def read(self, key: str, begin: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        self._try("read")
        async with aclosing(super().read(key, begin, end)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def delete(self, keys: Collection[str]) -> None:
        self._try("delete")
        await super().delete(keys)

    def _try(self, call: str) -> None:
        self.tried[call] += 1
        self._happened.set()
        if self.away:
            raise BlobsUnavailable("away")
