"""A database, a worker in it, and jobs to be moved about."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat

from shared.database.leases import register_worker
from shared.database.pool import Database
from shared.database.submission import insert_jobs
from shared.job import Job, NewJob
from shared.states import Task

MakeJobs = Callable[..., Awaitable[list[Job]]]


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(database_url, patience=5)
    yield database
    await database.close()


@pytest.fixture
async def worker(db: Database) -> UUID:
    return await new_worker(db)


async def new_worker(db: Database, lease: float = 30.0) -> UUID:
    worker = uuid_utils.compat.uuid7()
    await register_worker(db, worker, name="test", device="cpu", lease=lease)
    return worker


@pytest.fixture
def make_jobs(db: Database) -> MakeJobs:
    async def make(count: int = 1, **changes: Any) -> list[Job]:
        return await insert_jobs(db, [new_job(**changes) for _ in range(count)])

    return make


def new_job(**changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "id": uuid_utils.compat.uuid7(),
        "owner": "local",
        "task": Task.INFERENCE,
        "model": "echo",
        "version": 1,
        "queue": "echo",
        "input": '{"value": 1}',
        "metadata": None,
        "queue_ttl": 3600.0,
        "execution_timeout": 60.0,
        "max_attempts": 3,
    }
    return NewJob(**(values | changes))
