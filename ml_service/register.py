"""Putting all models into the catalogue, and their queues into the broker, before any worker runs."""

import asyncio

import structlog

from ml_service.child.errors import ChildDied
from ml_service.child.process import ModelProcess
from ml_service.discovery import ModelReference, discover
from ml_service.settings import WorkerSettings
from shared.broker.protocol import Broker
from shared.catalogue import ModelDescription
from shared.database.catalogue import register_model
from shared.database.pool import Database
from shared.errors import DatabaseRefused, InvalidModel, SchemaConflict
from shared.queues import ensure_queue

log = structlog.get_logger(__name__)


async def register(settings: WorkerSettings, db: Database, broker: Broker) -> int:
    """-> how many models were registered. What cannot be is logged with its reason, and the others are registered."""
    discovery = discover(settings.models_dir, enable_echo=settings.enable_echo)
    failures = [str(problem) for problem in discovery.problems]
    described = await asyncio.gather(
        *(_describe(one, settings) for one in discovery.references), return_exceptions=True
    )
    queues: list[str] = []
    for description in described:
        if isinstance(description, ModelDescription):
            refusal = await enter(db, description)
            if refusal is not None:
                failures.append(refusal)
            else:
                log.info("registered", model=description.name, version=description.version, queue=description.queue)
                queues.append(description.queue)
        elif isinstance(description, InvalidModel | ChildDied):
            failures.append(str(description))
        else:
            raise description
    for failure in failures:
        log.error("not registered", error=failure)
    if settings.pubsub_provision:
        for queue in sorted(set(queues)):
            await ensure_queue(broker, db, queue)
    return len(queues)


async def enter(db: Database, description: ModelDescription) -> str | None:
    """Puts a model into the catalogue. -> why it cannot be there: that is this model's matter alone."""
    try:
        await register_model(db, description)
    except SchemaConflict as error:
        return str(error)
    except (
        DatabaseRefused
    ) as error:  # such as a NUL in a text; `describe` cannot know all that a database does not take
        return f"{description.name} version {description.version} says what the database does not take ({error})"
    return None


async def _describe(reference: ModelReference, settings: WorkerSettings) -> ModelDescription:
    """In a process of its own: this one never runs model code."""
    child = await ModelProcess.spawn(
        reference, files=settings.model_repository.resolve(), device="cpu", threads=1, warm_up=False, blobs=settings
    )
    try:
        return await child.described()
    finally:
        await child.kill()
