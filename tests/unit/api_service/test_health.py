"""Readiness."""

import asyncio

import pytest

from api_service import health
from api_service.catalogue_cache import CatalogueCache
from api_service.health import Check, Health
from shared.catalogue import CatalogueModel, CatalogueVersion, ModelDescription, ModelState
from shared.errors import BrokerUnavailable, DatabaseUnavailable


async def fine() -> None:
    """Answers."""


async def no_broker() -> None:
    raise BrokerUnavailable("away")


async def no_database() -> None:
    raise DatabaseUnavailable("away")


async def silent() -> None:
    await asyncio.Event().wait()


def models(state: ModelState) -> CatalogueCache:
    description = ModelDescription("m", 1, "", "m", ("inference",), {}, {})
    one = CatalogueVersion(description, default=True, state=state, error=None, live_workers=0)

    async def read() -> list[CatalogueModel]:
        return [CatalogueModel("m", one, (one,))]

    return CatalogueCache(read, 1.0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.01)


@pytest.mark.parametrize(
    ("database", "broker", "model", "status"),
    [
        (fine, fine, ModelState.READY, "ok"),
        (fine, fine, ModelState.OFFLINE, "ok"),
        (fine, fine, ModelState.FAILED, "degraded"),
        (fine, no_broker, ModelState.READY, "degraded"),
        (fine, silent, ModelState.READY, "degraded"),
        (no_database, fine, ModelState.READY, "unavailable"),
        (silent, no_broker, ModelState.FAILED, "unavailable"),
    ],
)
async def test_only_the_database_is_needed(database: Check, broker: Check, model: ModelState, status: str) -> None:
    readiness = await Health(database, broker, models(model)).readiness()

    assert readiness.status == status
    assert readiness.checks.database == ("ok" if database is fine else "unavailable")
    assert readiness.checks.broker == ("ok" if broker is fine else "unavailable")
    assert readiness.checks.models["m"].state is model


async def test_a_catalogue_that_cannot_be_read_takes_no_longer() -> None:
    async def read() -> list[CatalogueModel]:
        await asyncio.Event().wait()
        return []

    readiness = await Health(silent, fine, CatalogueCache(read, 1.0)).readiness()

    assert (readiness.status, readiness.checks.models) == ("unavailable", {})
