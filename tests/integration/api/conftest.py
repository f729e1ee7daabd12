"""A real API on a port of its own, with a database of its own, and two models that nobody serves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_service.app import create_app
from api_service.server import Server, server
from api_service.settings import ApiSettings
from deploy.local.postgres import Postgres
from shared.catalogue import ModelDescription
from shared.database.catalogue import register_model
from shared.database.pool import Database
from shared.settings import DatabaseSettings
from tests.integration.api.worker import HandWorker

REVERSE = ModelDescription(
    name="reverse",
    version=1,
    description="Turns a text around.",
    queue="reverse",
    tasks=("inference",),
    input_schema={
        "type": "object",
        "required": ["text"],
        "additionalProperties": False,
        "properties": {
            "text": {"type": "string", "maxLength": 100_000},
            "numbers": {"type": "array", "items": {"type": "number"}},
        },
    },
    output_schema={"type": "object"},
    example={"text": "abc"},
    queue_ttl=3600.0,
)
FILE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"data": {"type": "string"}, "upload": {"type": "string", "format": "upload-id"}},
    "oneOf": [{"required": ["data"]}, {"required": ["upload"]}],
}
PICTURES = ModelDescription(
    name="pictures",
    version=1,
    description="",
    queue="pictures",
    tasks=("inference",),
    input_schema={
        "type": "object",
        "additionalProperties": False,
        "required": ["images"],
        "properties": {"images": {"type": "array", "items": FILE}},
    },
    output_schema={},
)
ANYTHING = ModelDescription(
    name="anything",
    version=2,
    description="",
    queue="anything",
    tasks=("inference",),
    input_schema={},
    output_schema={},
)


@asynccontextmanager
async def serving(database_url: str, settings: ApiSettings) -> AsyncIterator[Server]:
    """An API with these settings, for as long as the context lasts."""
    app = create_app(settings, DatabaseSettings(database_url=database_url))
    one = server(app, settings.api_host, settings.api_port, settings.shutdown_grace)
    task = asyncio.create_task(one.serve())
    while not one.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield one
    finally:
        one.should_exit = True
        await task


@asynccontextmanager
async def models_known(database_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(database_url, size=2)
    for model in (REVERSE, PICTURES, ANYTHING):
        await register_model(database, model)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def blob_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blobs")


@pytest.fixture(scope="session")
def settings(blob_folder: Path) -> ApiSettings:
    return ApiSettings(api_port=0, shutdown_grace=2, catalogue_refresh=0.05, blob_url=str(blob_folder))


@pytest.fixture(scope="session")
async def any_client(postgres: Postgres, migrated: str, settings: ApiSettings) -> AsyncIterator[httpx.AsyncClient]:
    """Of one API for the whole session: for tests that do not care what jobs there are."""
    postgres.create_database("any_client", template=migrated)
    url = postgres.url("any_client")
    async with (
        models_known(url),
        serving(url, settings) as one,
        httpx.AsyncClient(base_url=one.url, timeout=20) as client,
    ):
        yield client


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    async with models_known(database_url) as database:
        yield database


@pytest.fixture
async def one(database_url: str, db: Database, settings: ApiSettings) -> AsyncIterator[Server]:
    """The API of this test."""
    async with serving(database_url, settings) as one:
        yield one


@pytest.fixture
async def client(one: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=one.url, timeout=20) as client:
        yield client


@pytest.fixture
async def worker(db: Database) -> HandWorker:
    one = HandWorker(db)
    await one.join()
    return one


Submit = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def submit(client: httpx.AsyncClient) -> Submit:
    """Submits a job of `reverse`, with these further fields. -> the job."""

    async def submit(**fields: Any) -> dict[str, Any]:
        answer = await client.post("/v1/jobs", json={"model": "reverse", "input": {"text": "abc"}, **fields})
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    return submit
