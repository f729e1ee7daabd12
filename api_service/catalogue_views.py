"""Models and workers as clients see them."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from api_service.views import Time
from shared.catalogue import CatalogueModel, CatalogueVersion, ModelState, Worker


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    state: Annotated[ModelState, Meta(description="`offline`: no live worker has it; jobs wait until one does.")]
    default: Annotated[bool, Meta(description="Whether a submission without a version gets this one.")]
    metrics: dict[str, Any] | None
    live_workers: int
    error: Annotated[str | None, Meta(description="Why it failed to load.")]


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A model. Schemas, example and live workers are those of its default version."""

    name: str
    description: str
    queue: str
    tasks: list[str]
    versions: Annotated[list[VersionView], Meta(description="Newest first.")]
    input_schema: Annotated[dict[str, Any], Meta(description="JSON Schema of a job's `input`.")]
    output_schema: Annotated[dict[str, Any], Meta(description="JSON Schema of a job's `result`.")]
    training_schema: Annotated[dict[str, Any] | None, Meta(description="JSON Schema of a training job's `input`.")]
    example: Annotated[dict[str, Any] | None, Meta(description="An input that fits.")]
    live_workers: int


class ModelList(msgspec.Struct, frozen=True):
    models: list[ModelView]


class ServedModelView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: int
    state: ModelState
    error: str | None


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One life of one worker process."""

    id: UUID
    name: str
    device: str
    alive: bool
    started_at: Time
    heartbeat_at: Time
    models: list[ServedModelView]


class WorkerList(msgspec.Struct, frozen=True):
    """The live ones, and those that died within the last hour."""

    workers: list[WorkerView]


def render_models(models: Iterable[CatalogueModel]) -> bytes:
    return msgspec.json.encode(ModelList([_model(model) for model in models]))


def render_model(model: CatalogueModel) -> bytes:
    return msgspec.json.encode(_model(model))


def render_workers(workers: Iterable[Worker]) -> bytes:
    return msgspec.json.encode(WorkerList([_worker(worker) for worker in workers]))


def _model(model: CatalogueModel) -> ModelView:
    about = model.default.description
    return ModelView(
        name=model.name,
        description=about.description,
        queue=about.queue,
        tasks=list(about.tasks),
        versions=[_version(version) for version in model.versions],
        input_schema=dict(about.input_schema),
        output_schema=dict(about.output_schema),
        training_schema=None if about.training_schema is None else dict(about.training_schema),
        example=None if about.example is None else dict(about.example),
        live_workers=model.default.live_workers,
    )


def _version(version: CatalogueVersion) -> VersionView:
    return VersionView(
        version=version.description.version,
        state=version.state,
        default=version.default,
        metrics=None if version.metrics is None else dict(version.metrics),
        live_workers=version.live_workers,
        error=version.error,
    )


def _worker(worker: Worker) -> WorkerView:
    return WorkerView(
        id=worker.id,
        name=worker.name,
        device=worker.device,
        alive=worker.alive,
        started_at=worker.started_at,
        heartbeat_at=worker.heartbeat_at,
        models=[ServedModelView(name=m.name, version=m.version, state=m.state, error=m.error) for m in worker.models],
    )
