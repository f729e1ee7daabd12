"""A real database that can be made to fail, emptied for each test, and a broker in the test's hands."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from shared.database.pool import Database
from tests.contract.database.stage import Stage
from tests.hand_broker import HandBroker
from tests.unsteady_database import UnsteadyDatabase


@pytest.fixture(scope="session")
def shared_url(postgres: Postgres, migrated: str) -> str:
    """One database for all tests: a new one for each would cost more than the tests."""
    postgres.create_database("integration", template=migrated)
    return postgres.url("integration")


@pytest.fixture(scope="session")
async def pool(shared_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(shared_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def connection(shared_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(shared_url)
    yield connection
    await connection.close()


@pytest.fixture
async def stage(pool: Database, connection: Any) -> Stage:
    """Brings jobs to where a test begins, by connections that do not fail."""
    stage = Stage(pool, connection)
    await stage.clear()
    return stage


@pytest.fixture
def db(stage: Stage) -> UnsteadyDatabase:
    return UnsteadyDatabase(stage.db)


@pytest.fixture
def broker() -> HandBroker:
    return HandBroker()
