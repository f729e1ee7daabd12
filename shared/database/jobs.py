"""From a row of `jobs` to a Job."""

import json
from collections.abc import Mapping
from typing import Any

from shared.database.tables import jobs
from shared.job import Attempt, Job, JobError, Progress
from shared.states import ErrorCode, JobState, Task

_LISTED = (
    *("id", "owner", "task", "model", "version", "state", "queue", "progress", "attempt", "charged", "max_attempts"),
    *("error", "history", "metadata", "batch_id", "created_at", "started_at", "finished_at", "queue_deadline"),
    *("purge_at", "revision", "result_key", "result_size", "result_sha256"),
)
# Lists leave out the result, which can be large.
LISTED_COLUMNS = [jobs.c[name] for name in _LISTED]
JOB_COLUMNS = [*LISTED_COLUMNS, jobs.c.result]


def job_of(row: Mapping[str, Any]) -> Job:
    """row: a record of JOB_COLUMNS or LISTED_COLUMNS, its JSON as text."""
    progress = json.loads(row["progress"]) if row["progress"] else None
    return Job(
        id=row["id"],
        owner=row["owner"],
        task=Task(row["task"]),
        model=row["model"],
        version=row["version"],
        state=JobState(row["state"]),
        queue=row["queue"],
        progress=Progress(progress["fraction"], progress.get("message")) if progress else None,
        attempt=row["attempt"],
        charged=row["charged"],
        max_attempts=row["max_attempts"],
        result=row.get("result"),
        result_key=row["result_key"],
        result_size=row["result_size"],
        result_sha256=row["result_sha256"],
        error=_error_of(row["error"], row["history"]),
        metadata=row["metadata"],
        batch_id=row["batch_id"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        queue_deadline=row["queue_deadline"],
        purge_at=row["purge_at"],
        revision=row["revision"],
    )


def _error_of(error: str | None, history: str) -> JobError | None:
    if error is None:
        return None
    content = json.loads(error)
    attempts = tuple(Attempt(**entry) for entry in json.loads(history))
    return JobError(ErrorCode(content["code"]), content["message"], content["retryable"], attempts)
