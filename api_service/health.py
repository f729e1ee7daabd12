"""Whether this process can serve: asked every few seconds by whoever watches it, so never slower than about a second."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import msgspec
import structlog
from msgspec import Meta

from api_service.catalogue_cache import CatalogueCache
from shared.catalogue import ModelState
from shared.errors import TorchrelayError

log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[None]]
Answer = Literal["ok", "unavailable"]

PATIENCE = 1.0  # seconds


class ModelHealth(msgspec.Struct, frozen=True):
    state: ModelState
    error: Annotated[str | None, Meta(description="Why it failed to load.")]


class Checks(msgspec.Struct, frozen=True):
    database: Answer
    broker: Annotated[Answer, Meta(description="While it is away submissions are still accepted, and run later.")]
    models: Annotated[dict[str, ModelHealth], Meta(description="The default version of each.")]


class Readiness(msgspec.Struct, frozen=True):
    """`unavailable` (503): the database does not answer. `degraded` (200): the broker does not, or a model failed."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: Checks


class Health:
    """check_database, check_broker: return if it answers, and raise if it does not."""

    def __init__(self, check_database: Check, check_broker: Check, catalogue: CatalogueCache) -> None:
        self._check_database = check_database
        self._check_broker = check_broker
        self._catalogue = catalogue

    async def readiness(self) -> Readiness:
        database, broker, models = await asyncio.gather(
            _answer("database", self._check_database), _answer("broker", self._check_broker), self._models()
        )
        if database != "ok":
            status: Literal["ok", "degraded", "unavailable"] = "unavailable"
        elif broker != "ok" or any(model.state is ModelState.FAILED for model in models.values()):
            status = "degraded"
        else:
            status = "ok"
        return Readiness(status, Checks(database, broker, models))

    async def _models(self) -> dict[str, ModelHealth]:
        try:
            async with asyncio.timeout(PATIENCE):
                models = await self._catalogue.models()
        except (TorchrelayError, TimeoutError):  # the database's own check says so
            return {}
        return {name: ModelHealth(model.default.state, model.default.error) for name, model in models.items()}


async def _answer(name: str, check: Check) -> Answer:
    try:
        async with asyncio.timeout(PATIENCE):
            await check()
    except (TorchrelayError, TimeoutError) as error:
        log.warning("a health check failed", check=name, error=str(error) or "no answer in time")
        return "unavailable"
    return "ok"
