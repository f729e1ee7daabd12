"""The worker's parts, and a real model's process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ml_service.worker.keeper import ChildKeeper, ChildSettings
from shared.settings import BlobSettings
from tests.contract.database.stage import Stage
from tests.hand_broker import HandBroker
from tests.integration.worker.bench import Bench
from tests.unit.ml_service.child.conftest import animal
from tests.unsteady_blobs import UnsteadyBlobs
from tests.unsteady_database import UnsteadyDatabase


@pytest.fixture
def blobs(tmp_path: Path) -> UnsteadyBlobs:
    return UnsteadyBlobs(str(tmp_path / "blobs"))


@pytest.fixture
async def bench(db: UnsteadyDatabase, stage: Stage, broker: HandBroker, blobs: UnsteadyBlobs) -> AsyncIterator[Bench]:
    """Registered; nothing goes on in the background."""
    bench = Bench(db, stage, broker, blobs)
    await bench.incarnation.register()
    yield bench
    await bench.runner.finish_settling()


@pytest.fixture(scope="session")
async def actor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChildKeeper]:
    """A real process that does as each input tells it; another one takes its place when it has died."""
    folder = tmp_path_factory.mktemp("repository")
    settings = ChildSettings(folder, "cpu", 0, BlobSettings(blob_url=str(folder / "blobs")))
    keeper = await ChildKeeper.spawn(animal("actor", "Actor"), settings, lambda: None)
    keeping = asyncio.create_task(keeper.run())
    yield keeper
    keeping.cancel()
    await asyncio.wait({keeping})
    await keeper.stop(0.0)
