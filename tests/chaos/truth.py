"""Looking at the rows themselves, past every link: what the promises are held against."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import msgspec

PATIENCE = 60.0  # seconds that the database may be away
PAUSE = 0.1
_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    TimeoutError,
)


class Truth:
    """One connection, made again whenever the database was restarted. Only reads: repeating them is harmless."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None
        self._one_at_a_time = asyncio.Lock()

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """JSON comes decoded."""
        async with self._one_at_a_time, asyncio.timeout(PATIENCE):
            while True:
                try:
                    connection = await self._connected()
                    return list(await connection.fetch(sql, *arguments, timeout=30))
                except _AWAY:
                    await self.close()
                    await asyncio.sleep(PAUSE)

    async def value(self, sql: str, *arguments: Any) -> Any:
        """Of the first column of the first row."""
        return (await self.fetch(sql, *arguments))[0][0]

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connected(self) -> Any:
        if self._connection is None:
            self._connection = await asyncpg.connect(self._url, timeout=5)
            for kind in ("json", "jsonb"):
                await self._connection.set_type_codec(
                    kind, schema="pg_catalog", encoder=_encode, decoder=msgspec.json.decode
                )
        return self._connection

    async def until(self, sql: str, *arguments: Any, within: float = 60.0) -> None:
        """Until it says true. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while not await self.value(sql, *arguments):
                await asyncio.sleep(PAUSE)


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


@asynccontextmanager
async def truth_of(url: str) -> AsyncIterator[Truth]:
    truth = Truth(url)
    try:
        yield truth
    finally:
        with suppress(OSError):
            await truth.close()
