"""Each hot statement uses the index that was made for it: a condition of a partial index must stand in the statement's text."""

import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from shared.database import (
    attempt_events,
    claims,
    dead_letters,
    deliveries,
    events,
    leases,
    outbox,
    reading,
    reconciliation,
    repetition,
    retention,
    settlement,
    statistics,
)
from shared.database.listing import page
from shared.database.statement import Statement
from shared.states import HELD, RETRYABLE, JobState

STATEMENTS: dict[str, tuple[Statement, str]] = {
    "the relay's sweep": (outbox._LEASE, "ix_jobs_unpublished"),
    "a queue made anew": (outbox._FORGET_QUEUE, "ix_jobs_queue_order"),
    "rule 11": (reconciliation._REPUBLISH, "ix_jobs_published"),
    "the heartbeat": (leases._HEARTBEAT, "ix_jobs_held"),
    "orphans": (reconciliation._REQUEUE_ORPHANS, "ix_jobs_held"),
    "expiry": (reconciliation._EXPIRE, "ix_jobs_queue_deadline"),
    "a queue's head": (reading._QUEUE_HEAD, "ix_jobs_queue_order"),
    "results to be purged": (retention._PURGE_RESULTS, "ix_jobs_purge"),
    "rows to be purged": (retention._PURGE_ROWS, "ix_jobs_purge"),
    "files in use": (retention._POINTED_AT_BY_JOBS, "pk_jobs"),
    "one job": (reading._GET, "pk_jobs"),
    "a key": (repetition._FIND, "ix_jobs_idempotency"),
    "a batch": (repetition._READ_BATCH, "ix_jobs_batch"),
    "how much is held": (statistics._LOAD, "ix_jobs_held"),
    "what was done lately": (statistics._FLOW, "ix_jobs_finished"),
    "a queue's pace": (statistics._PACE, "ix_jobs_finished"),
    "a claim": (claims._CLAIM, "pk_jobs"),
    "a settlement": (settlement._SETTLE, "pk_jobs"),
    "events": (events._READ, "pk_events"),
    "news of events": (events._NEWS, "pk_jobs"),
    "webhooks that are due": (deliveries._LEASE, "ix_webhook_deliveries_due"),
    "what came of a webhook": (deliveries._NOTE, "pk_webhook_deliveries"),
    "a job's deliveries": (deliveries._LIST, "ix_webhook_deliveries_job_id"),
    "a page of dead letters": (dead_letters._LIST, "ix_dead_letters_received_at"),
    "dead letters past their retention": (dead_letters._PURGE, "ix_dead_letters_received_at"),
    "a redrive": (dead_letters._REDRIVE, "pk_jobs"),
    "what an attempt says": (attempt_events._WRITE, "pk_jobs"),
}

OWNED, BATCH = frozenset({"owner"}), frozenset({"owner", "batch_id"})
PAGES: dict[str, tuple[Statement, str]] = {
    "a page": (page(None, OWNED), "ix_jobs_owner"),
    "a page of a model": (page(None, OWNED | {"model", "task"}), "ix_jobs_owner"),
    "a page of what succeeded": (page(JobState.SUCCEEDED, OWNED), "ix_jobs_owner"),
    "a page of all": (page(None, frozenset()), "pk_jobs"),
    "a page of all that waits": (page(JobState.QUEUED, frozenset()), "ix_jobs_queue_order"),
    "a page of what waits": (page(JobState.QUEUED, OWNED), "ix_jobs_queue_order"),
    "a page of what waits for a model": (page(JobState.QUEUED, OWNED | {"model", "task"}), "ix_jobs_queue_order"),
    **{f"a page of all {state} jobs": (page(state, frozenset()), "ix_jobs_held") for state in sorted(HELD)},
    **{f"a page of {state} jobs": (page(state, OWNED), "ix_jobs_held") for state in sorted(HELD)},
    **{f"a page of a model's {state} jobs": (page(state, OWNED | {"model"}), "ix_jobs_held") for state in sorted(HELD)},
    **{f"a page of {state} jobs": (page(state, OWNED), "ix_jobs_rare") for state in sorted(RETRYABLE)},
    **{
        f"a page of a model's {state} jobs": (page(state, OWNED | {"model"}), "ix_jobs_rare")
        for state in sorted(RETRYABLE)
    },
    "a page of a batch": (page(None, BATCH), "ix_jobs_batch"),
    # Whichever holds less.
    **{f"a batch's {state} jobs": (page(state, BATCH), "(ix_jobs_batch|ix_jobs_rare)") for state in JobState},
}
STATEMENTS |= PAGES

# A month's finished jobs, some of which failed; a backlog, a few that run and say much, a few to be published. Every
# tenth is of a batch.
FILL = """
    INSERT INTO jobs (id, owner, task, model, version, queue, state, input, max_attempts, available_at, queue_ttl,
                      queue_deadline, execution_timeout, created_at, published_at, worker, finished_at, error, batch_id)
    SELECT gen_random_uuid(), 'owner ' || n % 50, 'inference', 'echo', 1, 'queue ' || n % 5, state, '1', 3, now(),
           '1 h', now() + n * interval '1 s', '1 min', now(),
           CASE WHEN n % 20 > 0 THEN now() - n * interval '1 ms' END,
           CASE WHEN state = 'running' THEN gen_random_uuid() END,
           CASE WHEN state IN ('succeeded', 'failed') THEN now() END, CASE WHEN state = 'failed' THEN '{}'::jsonb END,
           CASE WHEN n % 10 = 0 THEN md5((n / 1000)::text)::uuid END
    FROM generate_series(1, 20000) AS n,
         LATERAL (SELECT CASE WHEN n <= 100 THEN 'running' WHEN n <= 12000 THEN 'queued' WHEN n % 40 = 0 THEN 'failed'
                              ELSE 'succeeded' END AS state);
    INSERT INTO events (job_id, seq, type, at, attempt, data)
    SELECT id, n, 'log', now(), 1, '{}' FROM jobs, generate_series(2, 100) AS n WHERE state = 'running';
    INSERT INTO webhook_deliveries (id, job_id, owner, event, url, host, job, state, next_try_at, created_at, finished_at)
    SELECT gen_random_uuid(), id, owner, 'job.succeeded', 'https://example.com/', 'example.com',
           CASE WHEN pending THEN '{}'::json END, CASE WHEN pending THEN 'pending' ELSE 'delivered' END, now(), now(),
           CASE WHEN NOT pending THEN now() END
    FROM jobs, LATERAL (SELECT random() < 0.01 AS pending) AS drawn WHERE state = 'succeeded';
    INSERT INTO dead_letters (id, queue, data, attributes, reason, received_at)
    SELECT gen_random_uuid(), 'echo', '?', '{}', 'no JSON', now() - n * interval '1 s' FROM generate_series(1, 5000) AS n
"""


@pytest.fixture(scope="module")
async def full(postgres: Postgres, migrated: str) -> AsyncIterator[Any]:
    """A connection to a database with many jobs in it, which plans a statement without its values, as a pool's does."""
    postgres.create_database("full", template=migrated)
    connection = await asyncpg.connect(postgres.url("full"))
    await connection.execute(FILL)
    await connection.execute("ANALYZE; SET plan_cache_mode = force_generic_plan")
    yield connection
    await connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_its_index_serves(name: str, full: Any) -> None:
    statement, index = STATEMENTS[name]
    await full.execute(f"PREPARE planned AS {statement.sql}")
    given = ", ".join(["NULL"] * len(statement._order))
    plan = await full.fetch(f"EXPLAIN EXECUTE planned{f'({given})' if given else ''}")
    await full.execute("DEALLOCATE planned")
    text = "\n".join(row[0] for row in plan)
    assert re.search(rf"\b{index}\b", text)
    assert "Seq Scan on jobs" not in text
