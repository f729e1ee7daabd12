"""Storing new jobs: many submissions, one INSERT, one commit."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    JSON,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    exists,
    func,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert

from shared.database.fence import rows_given
from shared.database.jobs import JOB_COLUMNS, job_of
from shared.database.pool import Database
from shared.database.statement import Statement, constant, seconds
from shared.database.tables import job_uploads, jobs
from shared.errors import AlreadySubmitted
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


def _insert(new: FromClause, *conditions: ColumnElement[bool]) -> Insert:
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
    return insert(jobs).from_select(list(values), select(*values.values()).where(*conditions))


def _unless_taken(new: Insert) -> Insert:
    """Leaves out what its owner has submitted before under the same key; waits for whoever is just storing it."""
    key = jobs.c.idempotency_key
    return new.on_conflict_do_nothing(index_elements=[jobs.c.owner, key], index_where=key.is_not(None))


def _insert_all_after_a_key(called: str, *, refers: bool = False) -> Statement:
    """One of them has a key. If that is taken, nothing is stored."""
    new = select(rows_given("given", _COLUMNS)).cte("new")
    key = new.c.idempotency_key
    keyed = _unless_taken(_insert(new, key.is_not(None))).returning(*JOB_COLUMNS).cte("keyed")
    rest = _insert(new, key.is_(None), exists(select(keyed.c.id))).returning(*JOB_COLUMNS).cte("rest")
    stored = union_all(select(keyed), select(rest))
    return Statement(called, _with_references(stored.cte("stored")) if refers else stored)


def _with_references(stored: CTE) -> Select[Any]:
    """What was stored, after what its inputs refer to was noted; an upload that is gone undoes it all."""
    given = rows_given("reference", {"referring": Uuid, "upload": Uuid})
    rows = select(stored.c.id, given.c.upload).join_from(given, stored, stored.c.id == given.c.referring)
    noted = insert(job_uploads).from_select(["job_id", "upload_id"], rows).cte("noted")
    return select(stored).add_cte(noted)


# Told apart, because what has no key, or refers to no upload, need not pay for being looked at.
_NEW = rows_given("new", _COLUMNS)
_EACH_STORED = _unless_taken(_insert(_NEW)).returning(*JOB_COLUMNS)
_STORED = _insert(_NEW).returning(*JOB_COLUMNS)
_INSERT = Statement("insert_jobs", _STORED)
_INSERT_EACH = Statement("insert_each_job", _EACH_STORED)
_INSERT_ALL = _insert_all_after_a_key("insert_jobs_after_a_key")
_REFERRING = {
    _INSERT: Statement("insert_referring_jobs", _with_references(_STORED.cte("stored"))),
    _INSERT_EACH: Statement("insert_each_referring_job", _with_references(_EACH_STORED.cte("stored"))),
    _INSERT_ALL: _insert_all_after_a_key("insert_referring_jobs_after_a_key", refers=True),
}


async def insert_jobs(db: Database, new: Sequence[NewJob]) -> list[Job]:
    """-> the stored jobs, in the order given. All or nothing. The caller publishes them within FAST_PATH_LEASE, or a sweep will.

    Raises AlreadySubmitted where one has a key (one at most) that its owner has used before, ReferenceGone where one
    refers to an upload that is not there any more.
    """
    keyed = any(job.idempotency_key is not None for job in new)
    stored = await _store(db, _INSERT_ALL if keyed else _INSERT, new)
    if not stored and new:
        raise AlreadySubmitted("This was submitted before, under the same key.")
    return [stored[job.id] for job in new]


async def insert_each(db: Database, new: Sequence[NewJob]) -> list[Job | None]:
    """As insert_jobs, but each for itself where keys are concerned. None: its owner has used the key before."""
    if all(job.idempotency_key is None for job in new):
        return list(await insert_jobs(db, new))
    in_order = sorted(new, key=lambda job: job.idempotency_key or "")  # who waits for another's key must not hold one
    stored = await _store(db, _INSERT_EACH, in_order)
    return [stored.get(job.id) for job in new]


async def _store(db: Database, statement: Statement, new: Sequence[NewJob]) -> Mapping[UUID, Job]:
    """-> what was stored, by id."""
    columns: dict[str, list[Any]] = {name: [getattr(job, name) for job in new] for name in _COLUMNS}
    references = [(job.id, upload) for job in new for upload in job.uploads]
    if references:
        statement = _REFERRING[statement]
        columns |= {"referring": [job for job, _ in references], "upload": [upload for _, upload in references]}
    return {row["id"]: job_of(row) for row in await db.fetch(statement, **columns)}
