"""Breaks one thing after the other, by a seed, several at a time, and notes what it broke."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.chaos.faults import ALL, KILL_WORKER, Affliction, Nobody, Patient
from tests.chaos.rig import LEASE

AT_ONCE = 4
# Of the workers that are killed, how many while nothing else is broken, so that their recovery tells about itself.
IN_PEACE = 0.5
ENDED_WITHIN = 180.0  # seconds, for what is being broken at the end


@dataclass(slots=True)
class Injected:
    """at: seconds since the beginning. lasted: until it was over; None: not yet."""

    kind: str
    at: float
    on: str
    lasted: float | None = None
    told: str = ""


class Injector:
    """every: seconds between two faults, on average."""

    def __init__(
        self, patient: Patient, *, every: float, say: Callable[[str], None], known: Sequence[Affliction] = ALL
    ) -> None:
        self.injected: list[Injected] = []
        self._patient = patient
        self._every = every
        self._say = say
        self._known = [one for one in known if patient.rig.control is not None or not one.by_control]
        self._under_way: set[asyncio.Task[None]] = set()
        self.failures: list[str] = []  # faults that could not be ended
        self._began = time.monotonic()

    async def run(self, seconds: float) -> None:
        """For so long; returns when all is well again."""
        chance = self._patient.chance
        ends = self._began + seconds
        while time.monotonic() < ends:
            await asyncio.sleep(min(chance.expovariate(1 / self._every), max(0.0, ends - time.monotonic())))
            (one,) = chance.choices(self._known, [known.weight for known in self._known])
            if one is KILL_WORKER and chance.random() < IN_PEACE:
                await self._all_over()
                await asyncio.sleep(LEASE)
                self._begin(one, in_peace=True)
                await self._all_over()
                continue
            self._begin(one)
            while len(self._under_way) >= AT_ONCE:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        try:
            async with asyncio.timeout(ENDED_WITHIN):
                await self._all_over()
        except TimeoutError:
            self.failures += [f"{task.get_name()}: not over after {ENDED_WITHIN:g} s" for task in self._under_way]

    async def _all_over(self) -> None:
        while self._under_way:
            await asyncio.wait(self._under_way)

    def _begin(self, one: Affliction, *, in_peace: bool = False) -> None:
        try:
            parts, going_on = one.begin(self._patient)
        except Nobody:
            return
        injected = Injected(one.kind, round(time.monotonic() - self._began, 2), ", ".join(parts))
        self.injected.append(injected)
        self._patient.ill.update(parts)
        self._say(f"{injected.at:7.1f} s  {one.kind}  {injected.on}")

        async def go_on() -> None:
            recoveries = len(self._patient.recoveries)
            try:
                injected.told = await going_on
                if in_peace:
                    for recovery in self._patient.recoveries[recoveries:]:
                        recovery.undisturbed = True
            finally:
                self._patient.ill.difference_update(parts)
                injected.lasted = round(time.monotonic() - self._began - injected.at, 2)

        task = asyncio.create_task(go_on(), name=one.kind)
        self._under_way.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._say(f"{task.get_name()} could not be ended: {error!r}")
            self.failures.append(f"{task.get_name()}: {error!r}")
