"""The worker's parts on a real database that can be made to fail, with a broker in the test's hands."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from deploy.local.postgres import Postgres
from ml_service.worker.keeper import ChildKeeper, ChildSettings
from shared.database.pool import Database
from tests.contract.database.stage import Stage
from tests.hand_broker import HandBroker
from tests.integration.worker.bench import Bench
from tests.unit.ml_service.child.conftest import animal
from tests.unsteady_database import UnsteadyDatabase


@pytest.fixture(scope="session")
def worker_url(postgres: Postgres, migrated: str) -> str:
    """One database for all tests, emptied for each: a new one for each would cost more than the tests."""
    postgres.create_database("worker", template=migrated)
    return postgres.url("worker")


@pytest.fixture(scope="session")
async def pool(worker_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(worker_url)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def connection(worker_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(worker_url)
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


@pytest.fixture
async def bench(db: UnsteadyDatabase, stage: Stage, broker: HandBroker) -> AsyncIterator[Bench]:
    """Registered; nothing goes on in the background."""
    bench = Bench(db, stage, broker)
    await bench.incarnation.register()
    yield bench
    await bench.runner.finish_settling()


@pytest.fixture(scope="session")
async def actor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChildKeeper]:
    """A real process that does as each input tells it; another one takes its place when it has died."""
    settings = ChildSettings(tmp_path_factory.mktemp("repository"), "cpu", threads=0)
    keeper = await ChildKeeper.spawn(animal("actor", "Actor"), settings, lambda: None)
    keeping = asyncio.create_task(keeper.run())
    yield keeper
    keeping.cancel()
    await asyncio.wait({keeping})
    await keeper.stop(0.0)
