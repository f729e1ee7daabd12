"""A submission that comes with a key is stored once, however often it is sent."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from api_service.errors import KeyReused, StillStoring
from api_service.idempotency import Key
from shared.database.repetition import Submitted
from shared.job import Job

_Stored = TypeVar("_Stored")

Find = Callable[[tuple[str, str]], Awaitable[Submitted | None]]


@dataclass(frozen=True, slots=True)
class Replay:
    """It was submitted before. job: as it is now; of a batch, the one that carries its key."""

    job: Job


class Once:
    """find: what was submitted as (owner, key's name).

    What this process is storing is in memory, so that it need not be asked for; what another one is storing, the
    database knows: an insert waits for it, and then stores nothing.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._storing: set[tuple[str, str]] = set()

    async def store(self, owner: str, key: Key, store: Callable[[], Awaitable[_Stored | None]]) -> _Stored | Replay:
        """store: called where nothing is known of the key; checks and stores. None: another process was faster.

        Raises KeyReused, StillStoring, and whatever `store` raises: then the key is as free as before.
        """
        if replay := await self._before(owner, key):
            return replay
        with self._alone(owner, key):
            stored = await store()
        if stored is not None:
            return stored
        if replay := await self._before(owner, key):
            return replay
        raise StillStoring("The same submission was stored elsewhere a moment ago, and is gone again: repeat it.")

    async def _before(self, owner: str, key: Key) -> Replay | None:
        if (owner, key.name) in self._storing:
            raise _still_storing()
        known = await self._find((owner, key.name))
        if known is None:
            return None
        if known.digest != key.digest:
            raise KeyReused("This Idempotency-Key came with another body before. Take a new key for each submission.")
        return Replay(known.job)

    @contextmanager
    def _alone(self, owner: str, key: Key) -> Iterator[None]:
        """Others may have begun while this one asked the database."""
        mine = (owner, key.name)
        if mine in self._storing:
            raise _still_storing()
        self._storing.add(mine)
        try:
            yield
        finally:
            self._storing.discard(mine)


def _still_storing() -> StillStoring:
    return StillStoring("The first submission with this Idempotency-Key is still being stored: repeat it in a moment.")
