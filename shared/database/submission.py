"""Storing new jobs: many submissions, one INSERT, one commit."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Float, Integer, Text, Uuid, column, func, insert, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.jobs import JOB_COLUMNS, job_of
from shared.database.pool import Database
from shared.database.statement import Statement, constant, each, seconds
from shared.database.tables import jobs
from shared.job import Job, NewJob
from shared.states import JobState

_COLUMNS: dict[str, Any] = {
    "id": Uuid,
    "owner": Text,
    "task": Text,
    "model": Text,
    "version": Integer,
    "queue": Text,
    "input": JSON,
    "metadata": JSON,
    "queue_ttl": Float,
    "execution_timeout": Float,
    "max_attempts": Integer,
    "traceparent": Text,
    "batch_id": Uuid,
    "webhook": JSONB,
    "idempotency_key": Text,
    "idempotency_hash": Text,
    "result_retention": Float,
    "row_retention": Float,
}
_SECONDS = ("queue_ttl", "execution_timeout", "result_retention", "row_retention")

# The submitting process publishes at once; its lease keeps everybody's sweep off the row for this long (rule 3).
FAST_PATH_LEASE = 5.0


def _insert() -> Statement:
    new = (
        func.unnest(*(each(name, kind) for name, kind in _COLUMNS.items()))
        .table_valued(*(column(name, kind) for name, kind in _COLUMNS.items()), name="new")
        .render_derived()
    )
    submitted = func.jsonb_build_object(
        *(constant("seq"), 1, constant("at"), func.now()),
        *(constant("state"), constant(JobState.QUEUED), constant("attempt"), 0),
    )
    values = {name: seconds(new.c[name]) if name in _SECONDS else new.c[name] for name in _COLUMNS} | {
        "state": constant(JobState.QUEUED),
        "last_seq": literal_column("1"),
        "trail": func.jsonb_build_array(submitted, type_=JSONB),
        "created_at": func.now(),
        "available_at": func.now(),
        "queue_deadline": func.now() + seconds(new.c.queue_ttl),
        "publish_leased_until": func.now() + seconds(literal_column(str(FAST_PATH_LEASE), Float)),
    }
    source = insert(jobs).from_select(list(values), select(*values.values())).returning(*JOB_COLUMNS)
    return Statement("insert_jobs", source)


_INSERT = _insert()


async def insert_jobs(db: Database, new: Sequence[NewJob]) -> list[Job]:
    """-> the stored jobs, in the order given. All or nothing. The caller publishes them within FAST_PATH_LEASE, or a sweep will."""
    rows = await db.fetch(_INSERT, **{name: [getattr(job, name) for job in new] for name in _COLUMNS})
    stored = {row["id"]: job_of(row) for row in rows}
    return [stored[job.id] for job in new]
