"""GET /v1/jobs/{id} at 32 clients, beside the bare FastAPI endpoint.

hot: 64 jobs, asked for again and again, as waiting clients do; the status cache answers. cold: never one that was
asked for within the last second, so that the database answers. Half of the jobs are queued, half succeeded. 304: the
client names the ETag that it has; 200: it names none. No worker runs, and none of the jobs changes.
"""

from dataclasses import dataclass
from uuid import UUID

from shared.database.pool import Database
from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.cpu import cpu_of
from tests.benchmarks.figure import Aim, Figure
from tests.benchmarks.load import Answered, Load, request, send
from tests.benchmarks.parked import park
from tests.benchmarks.rig import CLIENTS, Rig, bare_api
from tests.benchmarks.samples import Samples

LIMIT = "bare FastAPI endpoint: 200 with JSON of the same size, or 304; no database"
HOT = 64
COLD = 12_000  # more than a second's polls: when one comes up again, its entry in the cache is over
QUEUED_REVISION, SUCCEEDED_REVISION = 1, 4  # a job that succeeds is changed by claim, start and settlement


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the four: which jobs are asked for, and whether their ETags are named."""

    cold: bool
    status: int

    @property
    def name(self) -> str:
        return f"poll {'cold' if self.cold else 'hot'}, {self.status}"

    def requests(self, jobs: list[tuple[UUID, int]]) -> list[bytes]:
        """jobs: (id, revision)."""
        asked = jobs if self.cold else jobs[:HOT]
        return [
            request("GET", f"/v1/jobs/{job_id}", {"If-None-Match": f'W/"{revision}"'} if self.status == 304 else None)
            for job_id, revision in asked
        ]


KINDS = [Kind(cold, status) for cold in (False, True) for status in (304, 200)]


async def measure(bench: Bench) -> list[Figure]:
    async with bench.rig() as rig:
        jobs = await _jobs(rig)
        sizes = [len((await rig.http.get(f"/v1/jobs/{job_id}")).content) for job_id, _ in jobs[:2]]
        ours: dict[Kind, list[Answered]] = {kind: [] for kind in KINDS}
        bare: dict[Kind, list[Answered]] = {kind: [] for kind in KINDS}
        used: dict[Kind, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        async with bare_api(rig, max(sizes), sum(sizes) // 2) as bare_port:
            for _ in bench.rounds():
                for kind in KINDS:
                    requests = kind.requests(jobs)
                    bare[kind].append(await send(Load(bare_port, CLIENTS, requests, bench.scale.seconds)))
                    with cpu_of(rig.parts()) as cpu:
                        ours[kind].append(await rig.send(requests, bench.scale.seconds))
                    used[kind].append(cpu.shares)
    return [_figure(kind, ours[kind], bare[kind], used[kind]) for kind in KINDS]


def _figure(kind: Kind, ours: list[Answered], bare: list[Answered], used: list[dict[str, float]]) -> Figure:
    return Figure(
        name=kind.name,
        unit="1/s",
        measured=Samples.of(one.all_were(kind.status).rate for one in ours),
        limit=Samples.of(one.all_were(kind.status).rate for one in bare),
        limit_is=LIMIT,
        aim=Aim(0.6),
        reference="0.59",
        details={"clients": CLIENTS, "ours": ours, "bare": bare, "cores": used},
    )


async def _jobs(rig: Rig) -> list[tuple[UUID, int]]:
    """Queued and succeeded in turn, as their statements would leave them. -> (id, revision)"""
    db = await Database.connect(rig.database_url, size=1)
    try:
        ids = await park(db, COLD)
    finally:
        await db.close()
    async with rig.connection() as connection:
        await connection.execute(
            "UPDATE jobs SET state = 'succeeded', result = '{\"value\": 1}', attempt = 1, revision = $2,"
            " started_at = now(), finished_at = now(), purge_at = now() + result_retention WHERE id = ANY($1)",
            ids[1::2],
            SUCCEEDED_REVISION,
        )
        await connection.execute("VACUUM ANALYZE jobs")
    return [(job_id, SUCCEEDED_REVISION if place % 2 else QUEUED_REVISION) for place, job_id in enumerate(ids)]


BENCHMARK = Benchmark(
    "poll", "poll at 32 clients, cached and not, with and without ETag ÷ a bare FastAPI endpoint", measure
)
