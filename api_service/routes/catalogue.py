"""Models and workers."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Request, Response

from api_service.caller import Scope, caller_of
from api_service.catalogue_views import ModelList, ModelView, WorkerList, render_model, render_models, render_workers
from api_service.documentation import answer, problems
from api_service.plain_route import group
from api_service.routes.job_response import JSON
from api_service.runtime import runtime_of
from shared.database.catalogue import promote, read_workers
from shared.errors import UnknownModel

router = group("Models and workers")

_MODEL_EXAMPLE = {
    "name": "text-embedding",
    "description": "Sentence vectors from all-MiniLM-L6-v2.",
    "queue": "text-embedding",
    "tasks": ["inference"],
    "versions": [
        {"version": 1, "state": "ready", "default": True, "metrics": None, "live_workers": 1, "error": None},
    ],
    "input_schema": {
        "type": "object",
        "required": ["texts"],
        "properties": {"texts": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 10000}},
    },
    "output_schema": {
        "type": "object",
        "properties": {"embeddings": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}},
    },
    "training_schema": None,
    "example": {"texts": ["The job outlives the connection."]},
    "live_workers": 1,
}
_WORKER_EXAMPLE = {
    "id": "0199f3a2-0000-7d40-9b6e-2f1d8f0a4c55",
    "name": "gpu-1/4711",
    "device": "cuda",
    "alive": True,
    "started_at": "2026-01-05T09:00:00Z",
    "heartbeat_at": "2026-01-05T09:30:00Z",
    "models": [{"name": "text-embedding", "version": 1, "state": "ready", "error": None}],
}

Name = Annotated[str, Path(description="The model's name.", examples=["text-embedding"])]
# Kept a string here: what is no number is no version (404), not a request that does not fit (422).
VersionNumber = Annotated[
    str, Path(description="Which of its versions.", json_schema_extra={"type": "integer", "minimum": 1}, examples=["1"])
]


@router.get(
    "/v1/models",
    summary="List models",
    responses={
        200: answer("All models, by name.", ModelList, example={"models": [_MODEL_EXAMPLE]}),
        **problems(details={}),
    },
)
async def list_models(request: Request) -> Response:
    """Every model that was ever registered, also without a live worker; jobs for such a one wait."""
    caller_of(request, Scope.READ)
    models = await runtime_of(request).catalogue.models()
    return Response(render_models(models.values()), media_type=JSON)


@router.get(
    "/v1/models/{name}",
    summary="Describe a model",
    responses={
        200: answer("The model.", ModelView, example=_MODEL_EXAMPLE),
        **problems(details={HTTPStatus.NOT_FOUND: "No such model; the detail names those there are."}),
    },
)
async def describe_model(request: Request, name: Name) -> Response:
    """What it does, its versions, what its input must look like, and an example of it."""
    caller_of(request, Scope.READ)
    model = await runtime_of(request).catalogue.model(name)
    return Response(render_model(model), media_type=JSON)


@router.post(
    "/v1/models/{name}/versions/{version}/promote",
    summary="Promote a version",
    responses={
        200: answer("The model, with its new default.", ModelView, example=_MODEL_EXAMPLE),
        **problems(details={HTTPStatus.NOT_FOUND: "No such model, or no such version of it."}),
    },
)
async def promote_version(request: Request, name: Name, version: VersionNumber) -> Response:
    """Jobs submitted from now on without a version get this one. Needs the scope `admin`. May be repeated.

    Other processes of the API heed it within a second (`CATALOGUE_REFRESH`). Jobs that wait keep the version they have.
    """
    caller_of(request, Scope.ADMIN)
    runtime = runtime_of(request)
    number = (await runtime.catalogue.version(name, _parse(version))).description.version
    await promote(runtime.database, name, number)
    await runtime.catalogue.refresh()
    return Response(render_model(await runtime.catalogue.model(name)), media_type=JSON)


@router.get(
    "/v1/workers",
    summary="List workers",
    responses={
        200: answer("The live ones first.", WorkerList, example={"workers": [_WORKER_EXAMPLE]}),
        **problems(details={}),
    },
)
async def list_workers(request: Request) -> Response:
    """Who is alive, with which models and device; and who died within the last hour."""
    caller_of(request, Scope.READ)
    return Response(render_workers(await read_workers(runtime_of(request).database)), media_type=JSON)


def _parse(version: str) -> int:
    """Raises UnknownModel for what cannot be one. By the length first: int() of very many digits is slow."""
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise UnknownModel(f"{version[:20]!r} is not a version's number.")
    return int(version)
