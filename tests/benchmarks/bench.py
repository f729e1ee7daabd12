"""What a benchmark is given: how much to measure, and systems to measure it on."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any

from tests.benchmarks.figure import Figure
from tests.benchmarks.rig import Rig, rig
from tests.benchmarks.scale import Scale


@dataclass(frozen=True, slots=True)
class Bench:
    """folder: for data, removed at the end. log: what all parts say. say: tells the person who waits.

    broker: as LocalSystem has it, for all that do not choose one themselves.
    """

    scale: Scale
    folder: Path
    log: IO[str]
    say: Callable[[str], None]
    broker: str | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_folder(self) -> Path:
        return self.folder / str(next(self._numbers))

    @asynccontextmanager
    async def rig(self, **options: Any) -> AsyncIterator[Rig]:
        """A system of one's own, on an empty database. options: of LocalSystem."""
        async with rig(self.new_folder(), self.log, **{"broker": self.broker, **options}) as running:
            yield running

    def rounds(self) -> Iterator[int]:
        for number in range(self.scale.rounds):
            self.say(f"round {number + 1} of {self.scale.rounds}")
            yield number


@dataclass(frozen=True, slots=True)
class Benchmark:
    """name: for --only. about: in one line. measure: returns its lines of the table."""

    name: str
    about: str
    measure: Callable[[Bench], Awaitable[Sequence[Figure]]]
