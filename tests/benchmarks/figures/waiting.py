"""2,000 clients that wait with `GET ?wait=60`, each for a job of its own, while 300 jobs a second end.

As many wait all the time: who is answered waits for another job. The jobs are ended by the statements that a worker
uses, ten by ten, so that the rate is steady; everything else runs as always. Memory is the API's one process (PSS), as
long as all wait, beside what it took before they came.
"""

import asyncio

from deploy.local.components import API
from shared.database.pool import Database
from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.figure import Aim, Figure, Of
from tests.benchmarks.memory import memory_of_tree
from tests.benchmarks.parked import MODEL, park
from tests.benchmarks.rig import Rig
from tests.benchmarks.samples import Samples
from tests.benchmarks.steady_worker import SteadyWorker
from tests.benchmarks.waiting_clients import Seen, Waiting, WaitingClients

RATE = 300.0  # jobs that end, a second
MEMORY_AIM = Aim(300.0, Of.MEASURED, at_most=True)
SEEN_AIM = Aim(100.0, Of.MEASURED, at_most=True)
SETTLED = 1.0  # seconds, for the last request that was sent to be one that waits


async def measure(bench: Bench) -> list[Figure]:
    clients = bench.scale.waiting
    waiting: list[float] = []
    seen: list[Seen] = []
    rates: list[float] = []
    async with bench.rig() as rig:
        db = await Database.connect(rig.database_url, size=2)
        idle = _api_memory(rig)
        try:
            for _ in bench.rounds():
                jobs = await park(db, clients + round(RATE * bench.scale.waiting_seconds))
                started = await WaitingClients.start(Waiting(rig.port, clients, [str(job) for job in jobs]))
                await started.attached()
                await asyncio.sleep(SETTLED)
                waiting.append(_api_memory(rig))
                rates.append(await SteadyWorker(db, MODEL).end(jobs, RATE))
                seen.append(await started.seen())
                _check(seen[-1], len(jobs))
        finally:
            await db.close()
    details = {"clients": clients, "ended_a_second": rates, "seen": seen}
    return [
        Figure(
            name=f"{clients:,} waiting: API memory",
            unit="MB",
            measured=Samples.of(waiting),
            limit=Samples.of([idle] * len(waiting)),
            limit_is="the same process before the first of them came",
            aim=MEMORY_AIM,
            details=details,
        ),
        Figure(
            name=f"{clients:,} waiting: seen p99",
            unit="ms",
            measured=Samples.of(one.p99 for one in seen),
            aim=SEEN_AIM,
            details=details,
        ),
    ]


def _api_memory(rig: Rig) -> float:
    return memory_of_tree(rig.system.processes[API].pid).pss


def _check(seen: Seen, jobs: int) -> None:
    if seen.states != {"succeeded": jobs}:
        raise RuntimeError(f"{jobs} jobs succeeded, but their clients saw {seen.states}")


BENCHMARK = Benchmark("waiting", "many clients that wait at once: memory, and how soon they see a result", measure)
