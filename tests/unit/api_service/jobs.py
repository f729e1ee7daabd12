"""Jobs out of thin air."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.job import Job, NewJob
from shared.states import JobState, Task

ID = UUID("01990000-0000-7000-8000-000000000001")
OTHER_ID = UUID("01990000-0000-7000-8000-000000000002")
_THEN = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def job(**fields: Any) -> Job:
    defaults: dict[str, Any] = {
        "id": ID,
        "owner": "local",
        "task": Task.INFERENCE,
        "model": "reverse",
        "version": 1,
        "state": JobState.QUEUED,
        "queue": "reverse",
        "progress": None,
        "attempt": 0,
        "charged": 0,
        "max_attempts": 3,
        "result": None,
        "error": None,
        "metadata": None,
        "batch_id": None,
        "created_at": _THEN,
        "started_at": None,
        "finished_at": None,
        "queue_deadline": _THEN,
        "purge_at": None,
        "revision": 1,
    }
    return Job(**(defaults | fields))


def new_job(number: int = 0, **fields: Any) -> NewJob:
    defaults: dict[str, Any] = {
        "id": UUID(int=number),
        "owner": "local",
        "task": Task.INFERENCE,
        "model": "reverse",
        "version": 1,
        "queue": "reverse",
        "input": "{}",
        "metadata": None,
        "queue_ttl": 60.0,
        "execution_timeout": 60.0,
        "max_attempts": 3,
    }
    return NewJob(**(defaults | fields))
