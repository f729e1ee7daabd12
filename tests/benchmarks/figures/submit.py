"""POST /v1/jobs at 32 clients, every job committed to disk before its 202, beside the bare FastAPI endpoint.

Everything runs: API with relay, reconciler and dead-letter consumer, Postgres with fsync, and the broker, to which
every job is published. What differs is the worker: in `submit` none takes these jobs, in `submit, jobs run` one does
at the same time, on the same cores.
"""

from contextlib import nullcontext

from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.cpu import cpu_of
from tests.benchmarks.figure import Aim, Figure
from tests.benchmarks.load import Answered, Load, request, send
from tests.benchmarks.rig import CLIENTS, Rig, bare_api
from tests.benchmarks.samples import Samples

LIMIT = "bare FastAPI endpoint: same body into a pydantic model, 202 with JSON of the same size, nothing stored"
BODY = b'{"model":"echo","input":{"value":"' + b"x" * 100 + b'"}}'
SUBMIT = request("POST", "/v1/jobs", body=BODY)


async def measure(bench: Bench) -> list[Figure]:
    async with bench.rig() as rig:
        await rig.register("echo")
        size = len((await rig.http.post("/v1/jobs", json={"model": "echo", "input": {"value": "x" * 100}})).content)
        async with bare_api(rig, size, size) as bare_port:
            return [
                await _figure(bench, rig, bare_port, "submit", running=False),
                await _figure(bench, rig, bare_port, "submit, jobs run", running=True),
            ]


async def _figure(bench: Bench, rig: Rig, bare_port: int, name: str, *, running: bool) -> Figure:
    ours: list[Answered] = []
    bare: list[Answered] = []
    used: list[dict[str, float]] = []
    async with rig.worker("echo") if running else nullcontext() as worker:
        for _ in bench.rounds():
            bare.append(await send(Load(bare_port, CLIENTS, [SUBMIT], bench.scale.seconds)))
            with cpu_of(rig.parts(worker)) as cpu:
                ours.append(await rig.send([SUBMIT], bench.scale.seconds))
            used.append(cpu.shares)
    return Figure(
        name=name,
        unit="1/s",
        measured=Samples.of(one.all_were(202).rate for one in ours),
        limit=Samples.of(one.all_were(202).rate for one in bare),
        limit_is=LIMIT,
        aim=None if running else Aim(0.5),
        reference="0.26",
        details={"clients": CLIENTS, "ours": ours, "bare": bare, "cores": used},
    )


BENCHMARK = Benchmark("submit", "submit (durable) at 32 clients ÷ a bare FastAPI endpoint", measure)
