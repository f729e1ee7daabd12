"""Memory of each process, idle and after load. PSS: a page that several processes share is counted once.

Running: API, Postgres, the broker, and one worker with two models: `echo`, whose child has no torch, and the MLP,
whose child has. The load of a round is 2,000 submissions of `echo` at 32 clients, run to their end, and their polls.
"""

import asyncio

from deploy.local.components import API, BROKER, POSTGRES
from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.figure import Figure
from tests.benchmarks.figures.submit import SUBMIT
from tests.benchmarks.load import request
from tests.benchmarks.memory import MEGABYTE, Memory, children_of, memory_of, memory_of_tree
from tests.benchmarks.rig import Rig
from tests.benchmarks.samples import Samples

MODELS = ("echo", "bench-mlp")
PAUSE = 1.0  # seconds between two looks
FINISHED_WITHIN = 120.0

Snapshot = dict[str, Memory]


async def measure(bench: Bench) -> list[Figure]:
    async with bench.rig() as rig, rig.worker(*MODELS) as worker:
        idle = [await _look(rig, worker.pid) for _ in range(bench.scale.rounds)]
        loaded = []
        for _ in bench.rounds():
            await _load(rig, bench.scale.drained)
            loaded.append(await _look(rig, worker.pid))
    return [_figure(name, [one[name] for one in idle], [one[name] for one in loaded]) for name in idle[0]]


def _figure(name: str, idle: list[Memory], loaded: list[Memory]) -> Figure:
    return Figure(
        name=f"memory {name}",
        unit="MB",
        measured=Samples.of(one.pss for one in loaded),
        limit=Samples.of(one.pss for one in idle),
        limit_is="idle, before any request",
        details={"idle": idle, "loaded": loaded, "megabyte": MEGABYTE},
    )


async def _look(rig: Rig, worker: int) -> Snapshot:
    await asyncio.sleep(PAUSE)
    parts = rig.system.processes
    children = sorted((memory_of(pid) for pid in children_of(worker)), key=lambda memory: memory.pss)
    snapshot = {
        "API": memory_of_tree(parts[API].pid),
        "worker": memory_of(worker),
        **{f"child {name}": memory for name, memory in zip(MODELS, children[-len(MODELS) :], strict=True)},
        "postgres, all": memory_of_tree(parts[POSTGRES].pid),
    }
    return snapshot | ({"broker": memory_of_tree(parts[BROKER].pid)} if BROKER in parts else {})


async def _load(rig: Rig, jobs: int) -> None:
    (await rig.send([SUBMIT] * jobs)).all_were(202)
    async with rig.connection() as connection, asyncio.timeout(FINISHED_WITHIN):
        while await connection.fetchval("SELECT count(*) FROM jobs WHERE finished_at IS NULL"):
            await asyncio.sleep(PAUSE)
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM jobs ORDER BY id DESC LIMIT $1", jobs)]
    (await rig.send([request("GET", f"/v1/jobs/{job_id}") for job_id in ids])).all_were(200)


BENCHMARK = Benchmark("memory", "memory of each process, idle and after load", measure)
