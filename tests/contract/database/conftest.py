"""A database, emptied for each test, and a stage to put jobs and workers on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from shared.database.pool import Database
from shared.job import Job
from tests.contract.database.stage import Stage

MakeJobs = Callable[..., Awaitable[list[Job]]]

# Not every wait of these tests may be as long as the pool's own limits: a deadlock is found at once.
_IMPATIENT = "&deadlock_timeout=10ms"


@pytest.fixture(scope="session")
def shared_url(postgres: Postgres, migrated: str) -> str:
    """One migrated database for all tests that need no more than empty tables: a copy for each would cost 0.1 s."""
    postgres.create_database("contract", template=migrated)
    return postgres.url("contract") + _IMPATIENT


@pytest.fixture(scope="session")
async def pool(shared_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(shared_url, patience=5)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def connection(shared_url: str) -> AsyncIterator[Any]:
    """A connection of the test's own: looks at rows, moves their times, holds locks."""
    connection = await asyncpg.connect(shared_url)
    yield connection
    await connection.close()


@pytest.fixture
async def stage(pool: Database, connection: Any) -> Stage:
    stage = Stage(pool, connection)
    await stage.clear()
    return stage


@pytest.fixture
def db(stage: Stage) -> Database:
    return stage.db


@pytest.fixture
async def worker(stage: Stage) -> UUID:
    return await stage.worker()


@pytest.fixture
def make_jobs(stage: Stage) -> MakeJobs:
    return stage.jobs
