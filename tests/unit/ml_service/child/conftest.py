"""Child processes that are gone when the test is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from ml_service.child.process import ModelProcess
from ml_service.discovery import ModelReference
from shared.settings import BlobSettings

ZOO = Path(__file__).parents[3] / "zoo"

Spawn = Callable[..., Awaitable[ModelProcess]]


def animal(file: str, model_class: str) -> ModelReference:
    return ModelReference(f"{ZOO / file}.py:{model_class}")


ACTOR = animal("actor", "Actor")


async def start(
    reference: ModelReference, files: Path, *, threads: int = 0, warm_up: bool = False, memory_limit: int = 0
) -> ModelProcess:
    blobs = BlobSettings(blob_url=str(files / "blobs"), upload_limit=1024 * 1024)
    return await ModelProcess.spawn(
        reference,
        files=files,
        device="auto",
        threads=threads,
        warm_up=warm_up,
        blobs=blobs,
        memory_limit=memory_limit,
    )


@pytest.fixture
async def spawn(tmp_path: Path) -> AsyncIterator[Spawn]:
    """Starts a model; its repository is an empty folder."""
    async with AsyncExitStack() as stack:

        async def spawned(reference: ModelReference, **options: Any) -> ModelProcess:
            child = await start(reference, tmp_path, **options)
            stack.push_async_callback(child.kill)
            return child

        yield spawned


@pytest.fixture(scope="package")
async def actor(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ModelProcess]:
    """One Actor for all tests that leave it alive."""
    child = await start(ACTOR, tmp_path_factory.mktemp("repository"))
    yield child
    await child.kill()
