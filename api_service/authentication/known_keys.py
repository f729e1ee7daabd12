"""API keys as they were less than a second ago.

A key that is known costs one statement a second, however often it is used, and one that is revoked is refused within
that second. What is no key costs even less: the ids that nobody knows are looked up together, ten times a second at
most, so that whoever guesses keeps neither the database busy nor those with a new key out.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from api_service.authentication.look_ups import LookUps
from api_service.caller import Caller, Scope
from api_service.errors import InvalidToken
from shared.database.keys import ApiKey, parse_key

FindKeys = Callable[[Sequence[str]], Awaitable[Sequence[ApiKey | None]]]

LIFETIME = 0.9  # seconds, from before it was read; the rest of the promised second is for the way there and back
PAUSE = 0.1  # seconds between statements that look for ids which nobody knows
MAX_MISSING = 10_000  # ids that are known not to be there: a client with an old key repeats itself

_SCOPES = frozenset(Scope)

NO_SUCH_KEY = "There is no such key, or it was revoked."


@dataclass(frozen=True, slots=True)
class _Entry:
    """caller None: the key was revoked."""

    key: ApiKey
    caller: Caller | None
    read_at: float


class KnownKeys:
    """find: the keys with these ids, also those that are revoked; None: there is none. clock: monotonic seconds."""

    def __init__(
        self,
        find: FindKeys,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._known = LookUps(find, 0.0, clock, sleep)
        self._unknown = LookUps(find, PAUSE, clock, sleep)
        self._entries: dict[str, _Entry] = {}
        self._missing: dict[str, float] = {}  # when it was not there

    async def caller(self, text: str) -> Caller:
        """text: all of the key. Raises InvalidToken, whatever is wrong with it, or DatabaseUnavailable."""
        parts = parse_key(text)
        if parts is None:
            raise InvalidToken(NO_SUCH_KEY)
        key_id, secret = parts
        entry = self._entries.get(key_id)
        if entry is None or self._clock() - entry.read_at >= LIFETIME:
            entry = await self._read(key_id)
        if entry is None or not entry.key.has_secret(secret) or entry.caller is None:
            raise InvalidToken(NO_SUCH_KEY)
        return entry.caller

    async def _read(self, key_id: str) -> _Entry | None:
        if key_id in self._entries:
            key, read_at = await self._known.of(key_id)
        elif self._clock() - self._missing.get(key_id, float("-inf")) < LIFETIME:
            return None
        else:
            key, read_at = await self._unknown.of(key_id)
        if key is None:
            self._miss(key_id, read_at)
            return None
        entry = _Entry(key, None if key.revoked_at else _caller(key), read_at)
        self._entries[key_id] = entry
        return entry

    def _miss(self, key_id: str, read_at: float) -> None:
        self._entries.pop(key_id, None)
        if len(self._missing) >= MAX_MISSING:
            self._missing.clear()
        self._missing[key_id] = read_at


def _caller(key: ApiKey) -> Caller:
    """A scope of a later version means nothing here."""
    return Caller(key.owner, frozenset(Scope(scope) for scope in key.scopes if scope in _SCOPES))
