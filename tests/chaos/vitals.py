"""Memory and threads of each API and worker process over time, and whether they stay as they are."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import psutil

from tests.chaos.rig import Rig

EVERY = 2.0  # seconds
MEGABYTE = 1_000_000
# A process has its size after it has served for a while: caches, pools and prepared statements fill. It is judged after that.
WARM_UP = 90.0  # seconds of its life
LEAST_JUDGED = 180.0  # seconds of life beyond the warm-up
# What it may grow by between the first and the last third of that.
GROWTH, GROWTH_MB = 0.05, 8.0
MORE_THREADS = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """at: seconds since the beginning of the run."""

    at: float
    memory: float  # megabytes, resident
    threads: int


@dataclass(slots=True)
class Life:
    """One process in the place of a part."""

    part: str
    pid: int
    samples: list[Sample] = field(default_factory=list)

    @property
    def judged(self) -> Sequence[Sample]:
        """Those after the warm-up, if they are enough to tell."""
        if not self.samples:
            return ()
        warm = [one for one in self.samples if one.at >= self.samples[0].at + WARM_UP]
        return warm if warm and warm[-1].at - warm[0].at >= LEAST_JUDGED else ()

    @property
    def growth(self) -> tuple[float, float] | None:
        """Memory, the median of the first third and of the last. None: it did not live for long enough."""
        third = len(self.judged) // 3
        if not third:
            return None
        return median(one.memory for one in self.judged[:third]), median(one.memory for one in self.judged[-third:])

    @property
    def threads(self) -> tuple[float, float] | None:
        third = len(self.judged) // 3
        if not third:
            return None
        return median(one.threads for one in self.judged[:third]), median(one.threads for one in self.judged[-third:])

    @property
    def flat(self) -> bool | None:
        if self.growth is None or self.threads is None:
            return None
        before, after = self.growth
        threads_before, threads_after = self.threads
        return after <= before * (1 + GROWTH) + GROWTH_MB and threads_after <= threads_before + MORE_THREADS


class Vitals:
    """Samples for as long as `run` goes on."""

    def __init__(self, rig: Rig) -> None:
        self.lives: list[Life] = []
        self._rig = rig
        self._began = time.monotonic()

    async def run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(EVERY)

    def look(self) -> None:
        for part in [*self._rig.apis, *self._rig.workers]:
            if self._rig.running(part):
                self._note(part, self._rig.pid(part))

    def _note(self, part: str, pid: int) -> None:
        try:
            process = psutil.Process(pid)
            memory = process.memory_info().rss
            if not memory:
                return  # it has just ended
            sample = Sample(
                round(time.monotonic() - self._began, 1),
                round(memory / MEGABYTE, 1),
                process.num_threads(),
            )
        except psutil.NoSuchProcess:
            return
        life = next((one for one in reversed(self.lives) if one.part == part), None)
        if life is None or life.pid != pid:
            life = Life(part, pid)
            self.lives.append(life)
        life.samples.append(sample)
