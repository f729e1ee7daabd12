"""5,000 queued jobs, run by one worker, beside the bare model.

The jobs are submitted over HTTP and published while no worker runs; then one is started. Timed by the rows, from the
first `started_at` (the first batch goes to the child, just after its claim; the row keeps no time of a claim) to the
last `finished_at`. Everything else runs too; nobody polls.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.bare_model import BATCH, bare_rate
from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.figure import Aim, Figure, Of
from tests.benchmarks.load import request
from tests.benchmarks.models import mlp
from tests.benchmarks.rig import MODELS, Rig
from tests.benchmarks.samples import Samples

LIMIT = f"the same class called directly, {BATCH} at a time on one thread: JSON in, predict, JSON out"
LOOK_EVERY = 0.2  # seconds
PUBLISHED_WITHIN = 60.0
DRAINED_WITHIN = 300.0


@dataclass(frozen=True, slots=True)
class Drained:
    """target: where the bare model's class is. inputs: so many JSON texts."""

    model: str
    target: str
    inputs: Callable[[int], list[str]]


ECHO = Drained("echo", "ml_service.models.echo:Echo", lambda count: [f'{{"value":{n}}}' for n in range(count)])
MLP = Drained("bench-mlp", f"{MODELS / 'mlp.py'}:Mlp", mlp.inputs)
SLOW = Drained("bench-slow", f"{MODELS / 'slow.py'}:Slow", lambda count: [f'{{"number":{n}}}' for n in range(count)])


async def measure(bench: Bench) -> list[Figure]:
    jobs = bench.scale.drained
    rates = await drain(bench, [ECHO, MLP], jobs)
    return [
        _figure("drain echo", jobs, rates[ECHO], None, ""),
        _figure("drain MLP", jobs, rates[MLP], Aim(3000, Of.MEASURED), "716/s"),
    ]


async def measure_slow(bench: Bench) -> list[Figure]:
    """The device must never wait: while it computes one batch, the last is settled and the next is claimed."""
    jobs = bench.scale.slow_jobs
    rates = await drain(bench, [SLOW], jobs)
    return [_figure("5 ms model", jobs, rates[SLOW], Aim(0.97), "")]


def _figure(name: str, jobs: int, rates: tuple[Samples, Samples], aim: Aim | None, reference: str) -> Figure:
    ours, bare = rates
    return Figure(
        name=name,
        unit="jobs/s",
        measured=ours,
        limit=bare,
        limit_is=LIMIT,
        aim=aim,
        reference=reference,
        details={"jobs": jobs, "batch": BATCH, "from": "first started_at", "to": "last finished_at"},
    )


async def drain(bench: Bench, kinds: list[Drained], jobs: int) -> dict[Drained, tuple[Samples, Samples]]:
    """-> per kind (jobs a second through Torchrelay, items a second of the bare model)."""
    ours: dict[Drained, list[float]] = {kind: [] for kind in kinds}
    bare: dict[Drained, list[float]] = {kind: [] for kind in kinds}
    async with bench.rig() as rig, rig.connection() as connection:
        await rig.register(*(kind.model for kind in kinds))
        for _ in bench.rounds():
            for kind in kinds:
                inputs = kind.inputs(jobs)
                bare[kind].append(await bare_rate(kind.target, inputs))
                await _submit(rig, connection, kind.model, inputs)
                async with rig.starting_worker(kind.model):
                    await _until_none(connection, "state IN ('queued', 'running')", DRAINED_WITHIN)
                ours[kind].append(await _rate(connection, jobs))
    return {kind: (Samples.of(ours[kind]), Samples.of(bare[kind])) for kind in kinds}


async def _submit(rig: Rig, connection: Any, model: str, inputs: list[str]) -> None:
    """Returns when all are stored and published, and the last checkpoint's writing is over."""
    await connection.execute("TRUNCATE jobs")
    bodies = (f'{{"model":{json.dumps(model)},"input":{one}}}'.encode() for one in inputs)
    (await rig.send([request("POST", "/v1/jobs", body=body) for body in bodies])).all_were(202)
    await _until_none(connection, "published_at IS NULL", PUBLISHED_WITHIN)
    await connection.execute("CHECKPOINT")


async def _until_none(connection: Any, condition: str, within: float) -> None:
    async with asyncio.timeout(within):
        while await connection.fetchval(f"SELECT count(*) FROM jobs WHERE {condition}"):
            await asyncio.sleep(LOOK_EVERY)


async def _rate(connection: Any, jobs: int) -> float:
    succeeded, seconds = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE state = 'succeeded'),"
        " extract(epoch FROM max(finished_at) - min(started_at))::float FROM jobs"
    )
    if succeeded != jobs:
        raise RuntimeError(f"{succeeded} of {jobs} jobs succeeded")
    return jobs / float(seconds)


BENCHMARK = Benchmark("drain", "echo and an MLP: 5,000 queued jobs drained ÷ the bare model", measure)
BENCHMARK_SLOW = Benchmark("slow", "a model of 5 ms per item ÷ its bare batched rate", measure_slow)
