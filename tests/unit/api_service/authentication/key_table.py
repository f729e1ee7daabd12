"""Keys in memory, and a clock: what the database would say, and how often it was asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from api_service.authentication.known_keys import KnownKeys
from shared.database.keys import ApiKey
from shared.errors import DatabaseUnavailable

THEN = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
SECRET = "ab" * 32


def key_id(number: int) -> str:
    return f"{number:016x}"


def text(number: int, secret: str = SECRET) -> str:
    return f"trk_{key_id(number)}_{secret}"


class KeyTable:
    def __init__(self) -> None:
        self.now = 100.0
        self.keys: dict[str, ApiKey] = {}
        self.asked: list[list[str]] = []
        self.away = False
        self.open = asyncio.Event()
        self.open.set()
        self.slept: list[float] = []
        self.known = KnownKeys(self.find, lambda: self.now, self.sleep)

    def add(self, number: int, owner: str = "ann", scopes: Sequence[str] = ("read", "submit")) -> str:
        digest = sha256(SECRET.encode()).digest()
        self.keys[key_id(number)] = ApiKey(key_id(number), owner, "", tuple(scopes), THEN, None, digest)
        return text(number)

    def revoke(self, number: int) -> None:
        self.keys[key_id(number)] = replace(self.keys[key_id(number)], revoked_at=THEN)

    async def find(self, ids: Sequence[str]) -> list[ApiKey | None]:
        self.asked.append(list(ids))
        found = [self.keys.get(one) for one in ids]
        await self.open.wait()
        if self.away:
            raise DatabaseUnavailable("away")
        return found

    async def sleep(self, seconds: float) -> None:
        """Time goes on only here."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
