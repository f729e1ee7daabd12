"""The schema serves services of the release before, which know only the columns of revision 0001 (expand, then contract).

Their statements are written here as they were, without what matters only to themselves.
"""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from shared.catalogue import ModelDescription
from shared.database.catalogue import read_catalogue, register_model
from shared.database.entries import Ending
from shared.database.events import read_events
from shared.database.leases import heartbeat
from shared.database.moves import cancel_job, retry_job
from shared.database.pool import Database
from shared.database.reading import get_job
from shared.database.reconciliation import note_ends
from shared.database.retention import purge_results, purge_rows
from shared.database.settlement import Settlement, settle
from shared.states import JobState
from tests.contract.database.stage import OWNER, Stage, new_id

REGISTER = """INSERT INTO workers (id, name, device, state, started_at, heartbeat_at, lease_until, models, queues)
    VALUES ($1, 'old', 'cpu', 'alive', now(), now(), clock_timestamp() + interval '30 s', '[]', '[]')"""
HEARTBEAT = """UPDATE workers SET heartbeat_at = clock_timestamp(), lease_until = clock_timestamp() + interval '30 s',
    device = 'cpu', models = '[]', queues = $2 WHERE id = $1 AND state = 'alive' RETURNING id"""
QUEUES = [{"queue": "echo", "idle": True, "newest_claimed": None}]
INSERT = """INSERT INTO jobs (id, owner, task, model, version, queue, state, input, max_attempts, available_at, queue_ttl,
    queue_deadline, execution_timeout, created_at, publish_leased_until)
    VALUES ($1, 'local', 'inference', 'echo', 1, 'echo', 'queued', '{"value": 1}', 3, now(), '1 h', now() + interval '1 h',
    '1 min', now(), now() + interval '5 s')"""
CLAIM = """UPDATE jobs SET state = 'running', worker = $2, attempt = attempt + 1, started_at = NULL, progress = NULL,
    revision = revision + 1 WHERE id = $1 AND state = 'queued' AND available_at <= now() RETURNING attempt, input"""
START = """UPDATE jobs SET started_at = clock_timestamp(), free_losses = 0, revision = revision + 1
    WHERE id = $1 AND attempt = $2 AND state IN ('running', 'cancelling') RETURNING state"""
PROGRESS = """UPDATE jobs SET progress = '{"fraction": 0.5, "message": null}', revision = revision + 1
    WHERE id = $1 AND attempt = $2 AND state IN ('running', 'cancelling') RETURNING id"""
SUCCEED = """UPDATE jobs SET state = 'succeeded', worker = NULL, finished_at = clock_timestamp(), error = NULL,
    result = '{"value": 1}', revision = revision + 1
    WHERE id = $1 AND attempt = $2 AND state IN ('running', 'cancelling') RETURNING state"""
FAIL = """UPDATE jobs SET state = 'failed', worker = NULL, finished_at = clock_timestamp(), result = NULL,
    error = '{"code": "model_error", "message": "no", "retryable": false}', history = history || $3::jsonb,
    revision = revision + 1 WHERE id = $1 AND attempt = $2 AND state IN ('running', 'cancelling') RETURNING state"""
REQUEUE = """UPDATE jobs SET state = 'queued', published_at = NULL, publish_leased_until = NULL, publish_no = publish_no + 1,
    republished = 0, worker = NULL, finished_at = NULL, started_at = NULL, progress = NULL, error = NULL,
    available_at = clock_timestamp(), queue_deadline = clock_timestamp() + queue_ttl, charged = charged + 1,
    history = history || $3::jsonb, revision = revision + 1
    WHERE id = $1 AND attempt = $2 AND state IN ('running', 'cancelling') RETURNING state"""
CANCEL = """UPDATE jobs SET state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE 'cancelling' END,
    finished_at = CASE WHEN state = 'queued' THEN clock_timestamp() END, revision = revision + 1
    WHERE id = $1 AND owner = 'local' AND state IN ('queued', 'running') RETURNING state"""
OFFER = """INSERT INTO models (name, version, description, queue, tasks, input_schema, output_schema, queue_ttl, max_attempts,
    registered_at) VALUES ('echo', 1, $1, 'echo', '{inference}', '{}', '{}', '1 min', 2, now())
    ON CONFLICT (name, version) DO UPDATE SET description = excluded.description, queue = excluded.queue,
    tasks = excluded.tasks, example = excluded.example, queue_ttl = excluded.queue_ttl,
    execution_timeout = excluded.execution_timeout, max_attempts = excluded.max_attempts
    WHERE models.input_schema IS NOT DISTINCT FROM excluded.input_schema
    AND models.output_schema IS NOT DISTINCT FROM excluded.output_schema
    AND models.training_schema IS NOT DISTINCT FROM excluded.training_schema RETURNING name"""
OFFERED = ModelDescription(
    name="echo",
    version=1,
    description="Old.",
    queue="echo",
    tasks=("inference",),
    input_schema={},
    output_schema={},
    queue_ttl=60.0,
    max_attempts=2,
)
HISTORY = [
    {
        "attempt": 1,
        "worker": None,
        "started_at": None,
        "ended_at": "2026-01-01T00:00:00+00:00",
        "code": "model_error",
        "message": "no",
    }
]


class OldWorker:
    def __init__(self, stage: Stage) -> None:
        self.id = new_id()
        self._stage = stage

    async def ask(self, statement: str, *values: Any) -> Any:
        return await self._stage.connection.fetchval(statement, *values)

    async def runs(self, job_id: UUID) -> int:
        """-> the attempt"""
        attempt = int(await self.ask(CLAIM, job_id, self.id))
        assert await self.ask(START, job_id, attempt) == "running"
        assert await self.ask(PROGRESS, job_id, attempt) == job_id
        return attempt


@pytest.fixture
async def old(stage: Stage) -> OldWorker:
    worker = OldWorker(stage)
    await worker.ask(REGISTER, worker.id)
    return worker


async def told(db: Database, job_id: UUID) -> list[tuple[int, str]]:
    """The numbers and states of its events."""
    (page,) = await read_events(db, [(OWNER, job_id, 0)], 100)
    assert page is not None
    assert page.complete
    assert [event.seq for event in page.events] == list(range(1, len(page.events) + 1)), "a hole"
    return [(event.seq, str(json.loads(event.data)["state"])) for event in page.events]


async def noted(db: Database) -> list[UUID]:
    async with db.transaction() as tx:
        return await note_ends(tx)


async def test_a_job_of_today_is_run_by_an_old_worker(db: Database, stage: Stage, old: OldWorker) -> None:
    job_id = await stage.published()
    attempt = await old.runs(job_id)
    running = await get_job(db, OWNER, job_id)
    assert running is not None
    assert (running.state, running.progress and running.progress.fraction) == (JobState.RUNNING, 0.5)
    await old.ask(SUCCEED, job_id, attempt)
    job = await get_job(db, OWNER, job_id)
    assert job is not None
    assert (job.state, job.result, job.attempt, job.error) == (JobState.SUCCEEDED, '{"value": 1}', 1, None)
    assert await told(db, job_id) == [(1, "queued")]  # it knew nothing of events: fewer, but no holes


async def test_an_end_by_an_old_worker_gets_what_it_lacks(db: Database, stage: Stage, old: OldWorker) -> None:
    """Without it nobody would be told, and the row would be kept for ever."""
    webhook = json.dumps({"url": "https://example.com/hook", "events": ["job.succeeded"]})
    job_id = await stage.published(webhook=webhook)
    await old.ask(SUCCEED, job_id, await old.runs(job_id))
    assert await noted(db) == [job_id]
    row = await stage.row(job_id)
    assert row["purge_at"] == row["finished_at"] + row["result_retention"]
    assert await told(db, job_id) == [(1, "queued"), (2, "succeeded")]
    at = "SELECT (trail->-1->>'at')::timestamptz FROM jobs WHERE id = $1"
    assert await stage.connection.fetchval(at, job_id) == row["finished_at"]
    sent = await stage.connection.fetch("SELECT event FROM webhook_deliveries WHERE job_id = $1", job_id)
    assert [one["event"] for one in sent] == ["job.succeeded"]
    assert await noted(db) == []


async def test_what_was_ended_today_is_left_alone(db: Database, stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker)
    await settle(db, [Settlement(*held, Ending.SUCCEEDED, result="1")])
    before = await stage.row(held[0])
    assert await noted(db) == []
    assert await stage.row(held[0]) == before


async def test_a_failure_by_an_old_worker_is_read_and_retried(db: Database, stage: Stage, old: OldWorker) -> None:
    job_id = await stage.published()
    attempt = await old.runs(job_id)
    await old.ask(FAIL, job_id, attempt, json.dumps(HISTORY))
    job = await get_job(db, OWNER, job_id)
    assert job is not None
    assert job.error is not None
    assert [one.code for one in job.error.attempts] == ["model_error"]
    assert (await retry_job(db, OWNER, job_id) or (None, False))[1]
    assert await stage.state(job_id) is JobState.QUEUED
    assert await old.runs(job_id) == 2


async def test_old_and_new_workers_take_turns_at_a_job(
    db: Database, stage: Stage, old: OldWorker, worker: UUID
) -> None:
    """One is fenced from the other by the attempt, whoever counted it."""
    job_id = await stage.published()
    first = await old.runs(job_id)
    await old.ask(REQUEUE, job_id, first, json.dumps(HISTORY))
    held = await stage.run_again(worker, job_id)
    assert held == (job_id, 2)
    assert await old.ask(SUCCEED, job_id, first) is None  # too late
    assert await settle(db, [Settlement(*held, Ending.SUCCEEDED, result='"new"')]) == {job_id: JobState.SUCCEEDED}
    row = await stage.row(job_id)
    assert (row["result"], row["charged"], row["purge_at"] is not None) == ('"new"', 1, True)
    assert [state for _, state in await told(db, job_id)] == ["queued", "running", "succeeded"]


async def test_today_s_reconciler_takes_jobs_back_from_an_old_worker(stage: Stage, old: OldWorker) -> None:
    job_id = await stage.published()
    await old.runs(job_id)
    await stage.dead(old.id)
    assert await stage.requeue_orphans() == {job_id: JobState.QUEUED}
    assert (await stage.row(job_id))["alone"] is True


async def test_an_old_worker_s_heartbeat_keeps_it_alive(db: Database, stage: Stage, old: OldWorker) -> None:
    assert await old.ask(HEARTBEAT, old.id, json.dumps(QUEUES)) == old.id
    job_id = await stage.published()
    await old.runs(job_id)
    held = await heartbeat(db, old.id, device="cpu", lease=30.0, models=[], queues=[])
    assert [(one.id, one.attempt) for one in held or []] == [(job_id, 1)]


async def test_a_job_of_an_old_api_is_run_and_cancelled_today(db: Database, stage: Stage, worker: UUID) -> None:
    ran, dropped = new_id(), new_id()
    for job_id in (ran, dropped):
        await stage.connection.execute(INSERT, job_id)
    held = await stage.run_again(worker, ran)
    await settle(db, [Settlement(*held, Ending.SUCCEEDED, result="1")])
    assert await told(db, ran) == [(1, "running"), (2, "succeeded")]
    job = await cancel_job(db, OWNER, dropped)
    assert job is not None
    assert (job.state, await told(db, dropped)) == (JobState.CANCELLED, [(1, "cancelled")])


@pytest.mark.parametrize("running", [True, False])
async def test_a_job_that_an_old_api_retried_is_not_purged(
    db: Database, stage: Stage, worker: UUID, *, running: bool
) -> None:
    """It leaves the time in the row that the first end has put there."""
    job_id = await stage.ended(JobState.FAILED)
    await stage.change(job_id, "purge_at = now() - interval '1 day', finished_at = now() - interval '40 days'")
    await stage.change(job_id, "state = 'queued', finished_at = NULL, error = NULL, publish_no = publish_no + 1")
    if running:
        await stage.run_again(worker, job_id)
    async with db.transaction() as tx:
        assert (list((await purge_results(tx)).ids), list((await purge_rows(tx)).ids)) == ([], [])
    assert await stage.row(job_id) is not None


async def test_a_job_that_an_old_api_cancelled_is_stopped_by_today_s_worker(
    db: Database, stage: Stage, worker: UUID
) -> None:
    held = await stage.running(worker)
    assert await stage.connection.fetchval(CANCEL, held[0]) == "cancelling"
    assert await settle(db, [Settlement(*held, Ending.STOPPED)]) == {held[0]: JobState.CANCELLED}
    waiting = await stage.published()
    assert await stage.connection.fetchval(CANCEL, waiting) == "cancelled"
    assert await noted(db) == [waiting]


async def test_a_model_that_an_old_worker_offers_has_no_caps(db: Database, old: OldWorker) -> None:
    """The system's settings hold, as they always did."""
    assert await old.ask(OFFER, "Old.") == "echo"
    (model,) = await read_catalogue(db)
    assert model.default.description == OFFERED


async def test_an_old_worker_leaves_caps_that_it_does_not_know(db: Database, old: OldWorker) -> None:
    """Workers of both releases offer the same class, in whatever order they start."""
    capped = replace(OFFERED, result_retention=600.0, max_execution_timeout=30.0, max_max_attempts=2)
    await register_model(db, replace(capped, description="New."))
    assert await old.ask(OFFER, "Old.") == "echo"
    (model,) = await read_catalogue(db)
    assert model.default.description == capped
