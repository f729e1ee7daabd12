"""The catalogue: registering models, which version is the default, and how live workers serve them."""

from dataclasses import replace
from uuid import UUID

import pytest

from shared.catalogue import ModelDescription, ModelState, ServedModel
from shared.database.catalogue import read_catalogue, read_workers, register_model
from shared.database.leases import heartbeat, leave
from shared.database.pool import Database
from shared.errors import SchemaConflict
from tests.contract.database.stage import Stage

DIGITS = ModelDescription(
    name="digits",
    version=1,
    description="Reads a digit.",
    queue="digits",
    tasks=("inference", "training"),
    input_schema={"type": "object", "properties": {"image": {"type": "string"}}},
    output_schema={"type": "object", "properties": {"digit": {"type": "integer"}}},
    training_schema={"type": "object"},
    example={"image": "…"},
    queue_ttl=90.5,
    execution_timeout=0.25,
    max_attempts=5,
    result_retention=600.0,
    row_retention=86400.0 * 400,
    max_queue_ttl=100.5,
    max_execution_timeout=0.5,
    max_max_attempts=6,
)
PLAIN = ModelDescription(
    name="digits",
    version=1,
    description="",
    queue="digits",
    tasks=("inference",),
    input_schema={},
    output_schema={},
)


async def serve(db: Database, worker: UUID, *served: ServedModel) -> None:
    await heartbeat(db, worker, device="cpu", lease=30, models=served, queues=[])


@pytest.mark.parametrize("description", [DIGITS, PLAIN], ids=["all of it", "what can be left out"])
async def test_a_description_comes_back_as_it_was_registered(description: ModelDescription, db: Database) -> None:
    await register_model(db, description)
    (model,) = await read_catalogue(db)
    assert model.name == "digits"
    assert model.default.description == description
    assert model.versions == (model.default,)


async def test_registering_the_same_version_again_brings_it_up_to_date(db: Database) -> None:
    """Every worker registers what it serves at its start."""
    await register_model(db, DIGITS)
    changed = replace(
        DIGITS,
        description="Better.",
        queue="gpu",
        tasks=("inference",),
        example=None,
        max_attempts=1,
        row_retention=1.0,
        max_queue_ttl=None,
    )
    await register_model(db, changed)
    (model,) = await read_catalogue(db)
    assert model.default.description == changed


@pytest.mark.parametrize(
    "offered",
    [
        replace(DIGITS, input_schema={"type": "string"}),
        replace(DIGITS, output_schema={"type": "string"}),
        replace(DIGITS, training_schema={"type": "string"}),
        replace(DIGITS, training_schema=None),
    ],
    ids=["input", "output", "training", "no training"],
)
async def test_a_known_version_keeps_its_schemas(offered: ModelDescription, db: Database) -> None:
    """What clients were promised of a version holds: other schemas are another version."""
    await register_model(db, DIGITS)
    with pytest.raises(SchemaConflict, match="digits version 1 is known with other schemas: raise `version`"):
        await register_model(db, replace(offered, description="Other."))
    (model,) = await read_catalogue(db)
    assert model.default.description == DIGITS


async def test_the_order_of_a_schema_s_keys_is_no_conflict(db: Database) -> None:
    await register_model(db, DIGITS)
    turned = dict(reversed(list(DIGITS.input_schema.items())))
    await register_model(db, replace(DIGITS, input_schema=turned))


async def test_the_default_is_the_highest_version_and_versions_come_newest_first(db: Database) -> None:
    for version in (2, 10, 9):
        await register_model(db, replace(DIGITS, version=version))
    (model,) = await read_catalogue(db)
    assert model.default.description.version == 10
    assert [(one.description.version, one.default) for one in model.versions] == [(10, True), (9, False), (2, False)]


async def test_the_latest_promoted_version_is_the_default(db: Database, stage: Stage) -> None:
    """Also over higher ones: that is how a version is rolled back."""
    for version in (1, 2, 3):
        await register_model(db, replace(DIGITS, version=version))
    for version, ago in ((2, 10), (1, 5)):
        query = f"UPDATE models SET promoted_at = now() - interval '{ago} min' WHERE version = $1"
        await stage.connection.execute(query, version)
    (model,) = await read_catalogue(db)
    assert model.default.description.version == 1


async def test_registering_again_keeps_a_promotion_and_its_metrics(db: Database, stage: Stage) -> None:
    for version in (1, 2):
        await register_model(db, replace(DIGITS, version=version))
    await stage.connection.execute(
        """UPDATE models SET promoted_at = now(), metrics = '{"accuracy": 0.99}' WHERE version = 1"""
    )
    await register_model(db, DIGITS)
    (model,) = await read_catalogue(db)
    assert (model.default.description.version, model.default.metrics) == (1, {"accuracy": 0.99})


async def test_models_come_by_name(db: Database) -> None:
    for name in ("zebra", "ape"):
        await register_model(db, replace(DIGITS, name=name))
    assert [model.name for model in await read_catalogue(db)] == ["ape", "zebra"]


# --- how they are served


def served(state: ModelState, version: int = 1, error: str | None = None) -> ServedModel:
    return ServedModel("digits", version, state, error)


@pytest.mark.parametrize(
    ("states", "shown", "live"),
    [
        ([], ModelState.OFFLINE, 0),
        ([ModelState.LOADING], ModelState.LOADING, 0),
        ([ModelState.FAILED], ModelState.FAILED, 0),
        ([ModelState.FAILED, ModelState.LOADING], ModelState.LOADING, 0),
        ([ModelState.FAILED, ModelState.READY, ModelState.LOADING], ModelState.READY, 1),
        ([ModelState.READY, ModelState.READY], ModelState.READY, 2),
    ],
)
async def test_a_version_is_as_good_as_its_best_worker(
    states: list[ModelState], shown: ModelState, live: int, db: Database, stage: Stage
) -> None:
    await register_model(db, DIGITS)
    for state in states:
        await serve(db, await stage.worker(), served(state))
    (model,) = await read_catalogue(db)
    assert (model.default.state, model.default.live_workers) == (shown, live)


async def test_why_loading_failed_is_shown_while_it_fails_everywhere(db: Database, stage: Stage) -> None:
    await register_model(db, DIGITS)
    await serve(db, await stage.worker(), served(ModelState.FAILED, error="no weights"))
    (model,) = await read_catalogue(db)
    assert (model.default.state, model.default.error) == (ModelState.FAILED, "no weights")
    await serve(db, await stage.worker(), served(ModelState.READY))
    (model,) = await read_catalogue(db)
    assert (model.default.state, model.default.error) == (ModelState.READY, None)


async def test_each_version_is_served_for_itself(db: Database, worker: UUID) -> None:
    for version in (1, 2):
        await register_model(db, replace(DIGITS, version=version))
    await serve(db, worker, served(ModelState.READY, version=1))
    (model,) = await read_catalogue(db)
    assert [(one.description.version, one.state) for one in model.versions] == [
        (2, ModelState.OFFLINE),
        (1, ModelState.READY),
    ]


async def test_a_worker_that_is_not_alive_serves_nothing(db: Database, stage: Stage) -> None:
    """Its lease over, declared dead, or stopped."""
    await register_model(db, DIGITS)
    late, dead, stopped = [await stage.worker() for _ in range(3)]
    for worker in (late, dead, stopped):
        await serve(db, worker, served(ModelState.READY))
    await stage.lease_over(late)
    await stage.dead(dead)
    await leave(db, stopped)
    (model,) = await read_catalogue(db)
    assert (model.default.state, model.default.live_workers) == (ModelState.OFFLINE, 0)


# --- workers


async def test_workers_are_listed_with_what_they_serve(db: Database, worker: UUID) -> None:
    await serve(db, worker, served(ModelState.FAILED, error="no weights"))
    (one,) = await read_workers(db)
    assert (one.id, one.name, one.device, one.alive) == (worker, "test", "cpu", True)
    assert one.models == (served(ModelState.FAILED, error="no weights"),)
    assert one.started_at <= one.heartbeat_at


async def test_live_workers_come_first_then_those_that_ended_within_the_hour(db: Database, stage: Stage) -> None:
    alive, ended, long_ended = [await stage.worker() for _ in range(3)]
    for worker, ago in ((ended, 59), (long_ended, 61)):
        await stage.dead(worker)
        await stage.change_worker(worker, f"heartbeat_at = now() - interval '{ago} min'")
    assert [(one.id, one.alive) for one in await read_workers(db)] == [(alive, True), (ended, False)]
