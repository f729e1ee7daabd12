"""Jobs for a model that nobody serves: they stay as they are until a benchmark moves them."""

from uuid import UUID

import uuid_utils.compat

from shared.database.outbox import stamp_published
from shared.database.pool import Database
from shared.database.submission import insert_jobs
from shared.job import NewJob
from shared.states import Task

MODEL = "bench-parked"
PER_INSERT = 500


def new_job(input_text: str = '{"value": 1}') -> NewJob:
    return NewJob(
        id=uuid_utils.compat.uuid7(),
        owner="local",
        task=Task.INFERENCE,
        model=MODEL,
        version=1,
        queue=MODEL,
        input=input_text,
        metadata=None,
        queue_ttl=86_400,
        execution_timeout=1800,
        max_attempts=3,
    )


async def park(db: Database, count: int) -> list[UUID]:
    """Queued and marked as published, so that the relay leaves them alone. -> their ids, the oldest first"""
    ids: list[UUID] = []
    while len(ids) < count:
        stored = await insert_jobs(db, [new_job() for _ in range(min(PER_INSERT, count - len(ids)))])
        await stamp_published(db, [(job.id, 1) for job in stored])
        ids += [job.id for job in stored]
    return ids
