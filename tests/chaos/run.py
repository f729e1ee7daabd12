"""The randomized run: clients order, things break by a seed, everything comes to its end, and the checker looks at it."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.brokers import EMBEDDED
from deploy.local.console import Console
from tests.chaos.checker import Verdict, check
from tests.chaos.customer import Customer
from tests.chaos.faults import Patient
from tests.chaos.injector import Injected, Injector
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.recovery import Recovery
from tests.chaos.rig import LEASE, Rig, rig
from tests.chaos.vitals import Life, Vitals

# For what is left when nothing is broken any more. A message that a dead worker had in hand is hidden for a minute.
DRAINED_WITHIN = 300.0
FOLLOWED_WITHIN = 120.0
RECOVERED_WITHIN = LEASE + 10.0  # seconds, as promised, where nothing else is broken


@dataclass(frozen=True, kw_only=True)
class Plan:
    """rate: jobs a second. every: seconds between two faults. witnesses: parts that live on, so that their memory tells."""

    duration: float
    seed: int
    rate: float = 20.0
    every: float = 4.0
    apis: int = 2
    workers: int = 3
    clients: int = 6
    broker: str = EMBEDDED
    witnesses: frozenset[str] = frozenset({"api", "worker-1"})


@dataclass(slots=True)
class Outcome:
    """took: seconds, until all was drained. failures: of the run itself, such as a fault that could not be ended."""

    plan: Plan
    verdict: Verdict
    injected: Sequence[Injected]
    recoveries: Sequence[Recovery]
    lives: Sequence[Life]
    clients: dict[str, int]
    took: float
    drained_in: float
    failures: list[str] = field(default_factory=list)

    @property
    def late(self) -> list[float]:
        """Recoveries that nothing disturbed, and that took longer than promised."""
        return [
            seconds
            for one in self.recoveries
            if one.undisturbed
            for seconds in one.seconds
            if seconds > RECOVERED_WITHIN
        ]

    @property
    def grown(self) -> list[Life]:
        return [life for life in self.lives if life.flat is False]

    @property
    def good(self) -> bool:
        """Whether every promise was kept. How long it took is told, and not judged: a busy machine may be late."""
        return self.verdict.kept and not (self.grown or self.failures)


async def run(plan: Plan, folder: Path, console: Console, say: Callable[[str], None]) -> Outcome:
    async with rig(folder, apis=plan.apis, workers=plan.workers, broker=plan.broker, console=console) as broken:
        return await _run(plan, broken, say)


async def _run(plan: Plan, broken: Rig, say: Callable[[str], None]) -> Outcome:
    began = time.monotonic()
    ledger = Ledger()
    load = Load(broken.system.urls, ledger, rate=plan.rate, clients=plan.clients, seed=plan.seed)
    vitals = Vitals(broken)
    customer = Customer(broken.system.urls, ledger)
    patient = Patient(broken, customer, random.Random(plan.seed), plan.witnesses, set(), [])
    injector = Injector(patient, every=plan.every, say=say)
    loading, looking = asyncio.create_task(load.run()), asyncio.create_task(vitals.run())
    try:
        await injector.run(plan.duration)
        say(f"nothing is broken any more; {len(ledger.orders)} jobs were ordered")
        load.finish()
        drained_in = await _drained(broken)
        try:
            async with asyncio.timeout(FOLLOWED_WITHIN):
                await loading
        except TimeoutError:
            injector.failures.append("clients still wait for what has ended")
        verdict = await check(broken.truth, ledger, broken.blobs)
    finally:
        for task in (loading, looking):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await customer.close()
    return Outcome(
        plan,
        verdict,
        injector.injected,
        patient.recoveries,
        vitals.lives,
        {**load.done, "requests repeated": load.repeated()},
        time.monotonic() - began,
        drained_in,
        injector.failures,
    )


async def _drained(broken: Rig) -> float:
    """Seconds that it took. What does not end is the checker's to tell."""
    began = time.monotonic()
    with suppress(TimeoutError):
        await broken.drained(DRAINED_WITHIN)
    return time.monotonic() - began
