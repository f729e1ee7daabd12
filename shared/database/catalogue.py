"""The catalogue of models and the register of workers (values: shared/catalogue.py)."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Float, bindparam, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.catalogue import CatalogueModel, CatalogueVersion, ModelDescription, ModelState, ServedModel, Worker
from shared.database.pool import Database
from shared.database.statement import Statement, clock, constant, seconds
from shared.database.tables import models, workers
from shared.errors import SchemaConflict

_SCHEMAS = ("input_schema", "output_schema", "training_schema")
_SECONDS = (
    *("queue_ttl", "execution_timeout", "result_retention", "row_retention"),
    *("max_queue_ttl", "max_execution_timeout"),
)
_AS_THEY_ARE = ("name", "version", "description", "queue", "max_attempts", "max_max_attempts")


def _register() -> Statement:
    """Inserts, or brings an equal version up to date; a version with other schemas is left alone: no row comes back."""
    given: dict[str, Any] = {
        column.name: bindparam(column.name, type_=column.type)
        for column in models.c
        if column.name not in {"metrics", "promoted_at", "registered_at", *_SECONDS}
    }
    for name in _SECONDS:
        given[name] = seconds(bindparam(name, type_=Float))
    new = insert(models).values(**given, registered_at=func.now())
    updated = {name: new.excluded[name] for name in given if name not in {"name", "version", *_SCHEMAS}}
    same = [models.c[name].is_not_distinct_from(new.excluded[name]) for name in _SCHEMAS]
    source = new.on_conflict_do_update(
        index_elements=["name", "version"], set_=updated, where=same[0] & same[1] & same[2]
    )
    return Statement("register_model", source.returning(models.c.name))


def _promote() -> Statement:
    """Later than any other of the model, also where the clock was set back."""
    name = bindparam("name", type_=models.c.name.type)
    others = select(func.max(models.c.promoted_at)).where(models.c.name == name).scalar_subquery()
    later = func.greatest(clock(), others + literal_column("interval '1 microsecond'"))
    chosen = (models.c.name == name) & (models.c.version == bindparam("version", type_=models.c.version.type))
    return Statement("promote", update(models).where(chosen).values(promoted_at=later).returning(models.c.name))


_REGISTER = _register()
_PROMOTE = _promote()
_MODELS = Statement("read_models", select(*models.c).order_by(models.c.name, models.c.version.desc()))
_ALIVE = (workers.c.state == constant("alive")) & (workers.c.lease_until > func.now())
_WORKERS = Statement(
    "read_workers",
    select(*workers.c, _ALIVE.label("alive"))
    .where(or_(_ALIVE, workers.c.heartbeat_at > func.now() - literal_column("interval '1 hour'")))
    .order_by(_ALIVE.desc(), workers.c.started_at.desc())
    .limit(1000),
)


async def register_model(db: Database, description: ModelDescription) -> None:
    """Raises SchemaConflict where this version is known with other schemas."""
    row = await db.fetch_row(
        _REGISTER,
        **{name: _as_json(getattr(description, name)) for name in (*_SCHEMAS, "example")},
        **{name: getattr(description, name) for name in (*_AS_THEY_ARE, *_SECONDS)},
        tasks=list(description.tasks),
    )
    if row is None:
        raise SchemaConflict(
            f"{description.name} version {description.version} is known with other schemas: "
            "raise `version` in the model's class whenever its Input or Output changes"
        )


async def promote(db: Database, name: str, version: int) -> bool:
    """The version becomes the model's default. -> whether there is such a version."""
    return await db.fetch_row(_PROMOTE, name=name, version=version) is not None


async def read_workers(db: Database) -> list[Worker]:
    """Live ones first, then those that ended within the last hour."""
    return [_worker_of(row) for row in await db.fetch(_WORKERS)]


async def read_catalogue(db: Database) -> list[CatalogueModel]:
    """All models by name, each with its versions, newest first, and how live workers serve them."""
    served: dict[tuple[str, int], list[ServedModel]] = defaultdict(list)
    for worker in await read_workers(db):
        for model in worker.models if worker.alive else ():
            served[model.name, model.version].append(model)
    rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await db.fetch(_MODELS):
        rows[row["name"]].append(row)
    return [_model_of(name, versions, served) for name, versions in rows.items()]


def _model_of(
    name: str, rows: Sequence[Mapping[str, Any]], served: Mapping[tuple[str, int], Sequence[ServedModel]]
) -> CatalogueModel:
    promoted = [row for row in rows if row["promoted_at"]]
    chosen = max(promoted, key=lambda row: row["promoted_at"])["version"] if promoted else rows[0]["version"]
    versions = tuple(
        _version_of(row, default=row["version"] == chosen, served=served.get((name, row["version"]), ()))
        for row in rows
    )
    return CatalogueModel(name, next(version for version in versions if version.default), versions)


def _version_of(row: Mapping[str, Any], *, default: bool, served: Sequence[ServedModel]) -> CatalogueVersion:
    description = ModelDescription(
        name=row["name"],
        version=row["version"],
        description=row["description"],
        queue=row["queue"],
        tasks=tuple(row["tasks"]),
        input_schema=json.loads(row["input_schema"]),
        output_schema=json.loads(row["output_schema"]),
        training_schema=_from_json(row["training_schema"]),
        example=_from_json(row["example"]),
        max_attempts=row["max_attempts"],
        max_max_attempts=row["max_max_attempts"],
        **{name: _seconds_of(row[name]) for name in _SECONDS},
    )
    states = {model.state for model in served}
    order = (ModelState.READY, ModelState.LOADING, ModelState.FAILED)
    state = next((state for state in order if state in states), ModelState.OFFLINE)
    error = next((model.error for model in served if model.error), None) if state is ModelState.FAILED else None
    ready = sum(model.state is ModelState.READY for model in served)
    return CatalogueVersion(description, default, state, error, ready, _from_json(row["metrics"]))


def _worker_of(row: Mapping[str, Any]) -> Worker:
    served = tuple(
        ServedModel(model["name"], model["version"], ModelState(model["state"]), model["error"])
        for model in json.loads(row["models"])
    )
    return Worker(row["id"], row["name"], row["device"], row["alive"], row["started_at"], row["heartbeat_at"], served)


def _as_json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)


def _from_json(value: str | None) -> Any:
    return None if value is None else json.loads(value)


def _seconds_of(value: timedelta | None) -> float | None:
    return None if value is None else value.total_seconds()
