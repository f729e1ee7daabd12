"""5,000 queued jobs, run by one worker, beside the bare model.

The jobs are submitted over HTTP and published while no worker runs; then one is started. Timed by the rows, from the
first `started_at` (the first batch goes to the child, just after its claim; the row keeps no time of a claim) to the
last `finished_at`. Everything else runs too; nobody polls.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks import images
from tests.benchmarks.bare_model import BATCH, bare_rate
from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.cpu import cpu_of
from tests.benchmarks.figure import Aim, Figure, Of
from tests.benchmarks.load import request
from tests.benchmarks.rig import MODELS, Rig
from tests.benchmarks.samples import Samples

LIMIT = f"the same class called directly, {BATCH} at a time on one thread: JSON in, predict, JSON out"
LOOK_EVERY = 0.1  # seconds
PUBLISHED_WITHIN = 60.0
DRAINED_WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Drained:
    """target: where the bare model's class is. inputs: so many JSON texts."""

    model: str
    target: str
    inputs: Callable[[int], list[str]]


@dataclass(slots=True)
class Drains:
    """By round: jobs a second through Torchrelay, items a second of the bare model, cores that each part took."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    cores: list[dict[str, float]] = field(default_factory=list)


ECHO = Drained("echo", "ml_service.models.echo:Echo", lambda count: [f'{{"value":{n}}}' for n in range(count)])
MLP = Drained("bench-mlp", f"{MODELS / 'mlp.py'}:Mlp", images.inputs)
SLOW = Drained("bench-slow", f"{MODELS / 'slow.py'}:Slow", lambda count: [f'{{"number":{n}}}' for n in range(count)])


async def measure(bench: Bench) -> list[Figure]:
    jobs = bench.scale.drained
    drains = await drain(bench, [ECHO, MLP], jobs)
    return [
        _figure("drain echo", jobs, drains[ECHO], None, ""),
        _figure("drain MLP", jobs, drains[MLP], Aim(3000, Of.MEASURED), "716/s"),
    ]


async def measure_slow(bench: Bench) -> list[Figure]:
    """The device must never wait: while it computes one batch, the last is settled and the next is claimed."""
    jobs = bench.scale.slow_jobs
    drains = await drain(bench, [SLOW], jobs)
    return [_figure("5 ms model", jobs, drains[SLOW], Aim(0.97), "")]


def _figure(name: str, jobs: int, drains: Drains, aim: Aim | None, reference: str) -> Figure:
    return Figure(
        name=name,
        unit="jobs/s",
        measured=Samples.of(drains.ours),
        limit=Samples.of(drains.bare),
        limit_is=LIMIT,
        aim=aim,
        reference=reference,
        details={
            "jobs": jobs,
            "batch": BATCH,
            "from": "first started_at",
            "to": "last finished_at",
            "cores": drains.cores,
        },
    )


async def drain(bench: Bench, kinds: list[Drained], jobs: int) -> dict[Drained, Drains]:
    drains = {kind: Drains() for kind in kinds}
    async with bench.rig() as rig, rig.connection() as connection:
        await rig.register(*(kind.model for kind in kinds))
        for _ in bench.rounds():
            for kind in kinds:
                inputs = kind.inputs(jobs)
                drains[kind].bare.append(await bare_rate(kind.target, inputs))
                await _submit(rig, connection, kind.model, inputs)
                drains[kind].cores.append(await _run(rig, connection, kind.model))
                drains[kind].ours.append(await _rate(connection, jobs))
    return drains


async def _run(rig: Rig, connection: Any, model: str) -> dict[str, float]:
    """Until all have ended. -> the cores that each part took, from the first end of a job on"""
    async with rig.starting_worker(model) as worker, asyncio.timeout(DRAINED_WITHIN):
        while not await connection.fetchval("SELECT EXISTS (SELECT FROM jobs WHERE state = 'succeeded')"):
            await asyncio.sleep(LOOK_EVERY)
        with cpu_of(rig.parts(worker)) as cpu:
            await _until_none(connection, "state IN ('queued', 'running')")
    return cpu.shares


async def _submit(rig: Rig, connection: Any, model: str, inputs: list[str]) -> None:
    """Returns when all are stored and published, and the last checkpoint's writing is over."""
    await connection.execute("TRUNCATE jobs CASCADE")
    bodies = (f'{{"model":{json.dumps(model)},"input":{one}}}'.encode() for one in inputs)
    (await rig.send([request("POST", "/v1/jobs", body=body) for body in bodies])).all_were(202)
    async with asyncio.timeout(PUBLISHED_WITHIN):
        await _until_none(connection, "published_at IS NULL")
    await connection.execute("CHECKPOINT")


async def _until_none(connection: Any, condition: str) -> None:
    while await connection.fetchval(f"SELECT EXISTS (SELECT FROM jobs WHERE {condition})"):
        await asyncio.sleep(LOOK_EVERY)


async def _rate(connection: Any, jobs: int) -> float:
    succeeded, seconds = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE state = 'succeeded'),"
        " extract(epoch FROM max(finished_at) - min(started_at))::float FROM jobs"
    )
    if succeeded != jobs:
        raise RuntimeError(f"{succeeded} of {jobs} jobs succeeded")
    return jobs / float(seconds)


BENCHMARK = Benchmark("drain", "echo and an MLP: a full queue drained ÷ the bare model", measure)
BENCHMARK_SLOW = Benchmark("slow", "a model of 5 ms per item ÷ its bare batched rate", measure_slow)
