"""How much memory a child may hold. RLIMIT_AS would not do: CUDA reserves far more addresses than it ever fills."""

import asyncio
from dataclasses import dataclass, field

from ml_service.child.family import family, proportional, resident

EVERY = 0.25  # seconds between two looks at the child itself: one short file
FAMILY_EVERY = 8  # looks between two at the processes that it started: all of the machine's have to be gone through

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(slots=True)
class MemoryWatch:
    """Of one child and its family. limit: bytes; 0: none. base: what it held when it was ready."""

    pid: int
    limit: int
    base: int = 0
    _family: set[int] = field(default_factory=set)

    @property
    def exceeded(self) -> bool:
        """Whether the child by itself is over the limit now."""
        return 0 < self.limit < resident(self.pid)

    @property
    def half_used(self) -> bool:
        """Whether half of the room is used up that it had when it was ready."""
        return self.limit > 0 and resident(self.pid) > (self.base + self.limit) / 2

    def note_ready(self) -> None:
        self.base = resident(self.pid)

    async def until_exceeded(self) -> str:
        """-> in words, once the child and its family hold more than the limit."""
        look = 0
        while True:
            if look % FAMILY_EVERY == 0:
                self._family = await asyncio.to_thread(family, self.pid)
            if sum(map(resident, self._family | {self.pid})) > self.limit:
                # What a fork shares with its parent was counted twice.
                held = await asyncio.to_thread(self._exactly)
                if held > self.limit:
                    return f"it held {in_words(held)} of memory, where CHILD_MEMORY_LIMIT allows {in_words(self.limit)}"
            look += 1
            await asyncio.sleep(EVERY)

    def _exactly(self) -> int:
        return sum(map(proportional, family(self.pid) | {self.pid}))


def in_words(size: float) -> str:
    """Such as "1.5 GiB"."""
    for unit in UNITS[:-1]:
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} {UNITS[-1]}"
