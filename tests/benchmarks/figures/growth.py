"""The statements of shared/database, with 10 k, 100 k, 1 M and more rows in the table.

Each size is a database of its own in one durable Postgres, and all of them are measured in turn, so that what disturbs
one disturbs all. Writes are of 32 rows, as 32 clients or a full batch make them. The limit of a figure is the same
statement with the fewest rows: the ratio is its growth. What grows comes with its plan, in the JSON.
"""

import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg
import uuid_utils.compat

from deploy.local.postgres import Postgres
from shared.database.claims import Claimed, claim, start
from shared.database.entries import Ending
from shared.database.leases import register_worker
from shared.database.listing import JobFilter, list_jobs
from shared.database.migrate import upgrade
from shared.database.outbox import lease_unpublished, stamp_published
from shared.database.pool import STATEMENT_TIMEOUT, Database
from shared.database.reading import get_job, queue_head
from shared.database.settlement import Settlement, settle
from shared.database.submission import insert_jobs
from shared.errors import DatabaseUnavailable
from shared.states import JobState
from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.explaining import Explaining
from tests.benchmarks.figure import Aim, Figure, Growth
from tests.benchmarks.filled import INPUT, OWNER, QUEUE, fill
from tests.benchmarks.parked import MODEL, new_job
from tests.benchmarks.samples import Samples

AIM = Aim(1.2, at_most=True)
BATCH = 32
PAGE = 50  # jobs of a listing
WARM_UP = 8  # cycles: the driver prepares a statement once, and Postgres may keep its plan after five executions
KNOWN = 1000  # ids of all ages, to ask for
LEASE = 7200.0  # seconds, of the worker that claims

Step = Callable[[Database], Awaitable[Any]]
Times = dict[tuple[str, int], list[float]]  # milliseconds, by statement and rows
Plans = dict[str, list[str]]  # lines, by the name of a Statement


@dataclass(frozen=True, slots=True)
class Table:
    """One database: how many rows it was filled with, and some of their ids."""

    rows: int
    db: Database
    connection: Any
    worker: UUID
    known: Sequence[UUID]

    def cycle(self) -> Iterator[tuple[str, Step]]:
        """The life of 32 jobs, statement by statement, and what clients and the relay ask for meanwhile."""
        jobs = [new_job(INPUT) for _ in range(BATCH)]
        ids = [job.id for job in jobs]
        held: list[Claimed] = []

        async def claiming(db: Database) -> None:
            held.extend(await claim(db, self.worker, MODEL, 1, ids))

        yield "submit", lambda db: insert_jobs(db, jobs)
        yield "stamp", lambda db: stamp_published(db, [(job_id, 1) for job_id in ids])
        yield "claim", claiming
        yield "start", lambda db: start(db, self.worker, [(one.id, one.attempt) for one in held])
        yield "settle", lambda db: settle(db, [Settlement(o.id, o.attempt, Ending.SUCCEEDED, "{}") for o in held])
        yield "poll, recent", lambda db: get_job(db, OWNER, random.choice(ids))
        yield "poll, any age", lambda db: get_job(db, OWNER, random.choice(self.known))
        yield "list", lambda db: list_jobs(db, OWNER, JobFilter(), PAGE)
        yield "list failed", lambda db: list_jobs(db, OWNER, JobFilter(state=JobState.FAILED), PAGE)
        yield "list queued", lambda db: list_jobs(db, OWNER, JobFilter(state=JobState.QUEUED), PAGE)
        yield "list running", lambda db: list_jobs(db, OWNER, JobFilter(state=JobState.RUNNING), PAGE)
        yield "sweep", lambda db: lease_unpublished(db, 100)
        yield "queue position", lambda db: queue_head(db, QUEUE)


async def measure(bench: Bench) -> list[Figure]:
    server = Postgres(bench.new_folder() / "postgres", durable=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(server.running())
        server.create_database("migrated")
        upgrade(server.url("migrated"))
        tables = [await stack.enter_async_context(_filled(bench, server, rows)) for rows in bench.scale.rows]
        await _round(tables, WARM_UP)
        rounds = [await _round(tables, bench.scale.statements) for _ in bench.rounds()]
        plans = {table.rows: await _plans(table) for table in tables}
    return [
        _figure(name, rounds, tables[0].rows, table.rows, plans[table.rows][name])
        for name in plans[tables[0].rows]
        for table in tables[1:]
    ]


def _figure(name: str, rounds: Sequence[Times], fewest: int, rows: int, plans: Plans) -> Figure:
    figure = Figure(
        name=f"{name}, {rows:,} rows",
        unit="ms",
        measured=Samples.of(median(times[name, rows]) for times in rounds),
        limit=Samples.of(median(times[name, fewest]) for times in rounds),
        limit_is=f"the same statement with {fewest:,} rows",
        aim=AIM,
        growth=Growth(name, rows, fewest),
    )
    return figure if figure.met else replace(figure, details={"plans": plans})


async def _round(tables: Sequence[Table], cycles: int) -> Times:
    """One cycle of each table after the other."""
    times: Times = defaultdict(list)
    for _ in range(cycles):
        for table in tables:
            for name, step in table.cycle():
                times[name, table.rows].append(await _milliseconds(step, table.db))
    return times


async def _milliseconds(step: Step, db: Database) -> float:
    began = time.perf_counter()
    try:
        await step(db)
    except DatabaseUnavailable:  # given up by the time limit of all statements: no figure is worse than this one
        return STATEMENT_TIMEOUT * 1000
    return (time.perf_counter() - began) * 1000


async def _plans(table: Table) -> dict[str, Plans]:
    """Of each step: how Postgres runs its statements."""
    found: dict[str, Plans] = {}
    for name, step in table.cycle():
        explaining = Explaining(table.db, table.connection)
        await step(explaining)
        found[name] = explaining.plans
    return found


@asynccontextmanager
async def _filled(bench: Bench, server: Postgres, rows: int) -> AsyncIterator[Table]:
    bench.say(f"filling a table with {rows:,} rows")
    name = f"rows_{rows}"
    server.create_database(name, template="migrated")
    connection = await asyncpg.connect(server.url(name))
    db = await Database.connect(server.url(name), size=1)
    try:
        await fill(connection, rows)
        share = min(100.0, 200.0 * KNOWN / rows)  # per cent; twice as many as wanted: a sample is never exact
        known = await connection.fetch(
            f"SELECT id FROM jobs TABLESAMPLE BERNOULLI ({share}) WHERE owner = $1 LIMIT {2 * KNOWN}", OWNER
        )
        worker = uuid_utils.compat.uuid7()
        await register_worker(db, worker, name="bench:0", device="cpu", lease=LEASE)
        yield Table(rows, db, connection, worker, [row["id"] for row in known])
    finally:
        await db.close()
        await connection.close()


BENCHMARK = Benchmark("growth", "the statements, with more and more rows in the table", measure)
