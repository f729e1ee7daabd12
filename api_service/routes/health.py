"""For whoever watches over this process."""

from http import HTTPStatus

import msgspec
from fastapi import Request, Response

from api_service.documentation import answer
from api_service.health import Readiness
from api_service.plain_route import group
from api_service.routes.job_response import JSON
from api_service.runtime import runtime_of

router = group("Health")

_EXAMPLE = {
    "status": "ok",
    "checks": {"database": "ok", "broker": "ok", "models": {"digits": {"state": "ready", "error": None}}},
}


@router.get(
    "/healthz",
    summary="Is it alive?",
    responses={
        200: {
            "description": "Yes.",
            "content": {
                JSON: {
                    "schema": {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]},
                    "example": {"status": "ok"},
                }
            },
        }
    },
)
async def healthz() -> Response:
    """Answers as long as the process runs and its loop turns. Depends on nothing else."""
    return Response(b'{"status":"ok"}', media_type=JSON)


@router.get(
    "/readyz",
    summary="Can it serve?",
    responses={
        200: answer("Yes; perhaps `degraded`.", Readiness, example=_EXAMPLE),
        503: answer(
            "No: the database does not answer.",
            Readiness,
            example={"status": "unavailable", "checks": {"database": "unavailable", "broker": "ok", "models": {}}},
        ),
    },
)
async def readyz(request: Request) -> Response:
    """Whether requests should be sent here, and how what it depends on is."""
    readiness = await runtime_of(request).health.readiness()
    status = HTTPStatus.SERVICE_UNAVAILABLE if readiness.status == "unavailable" else HTTPStatus.OK
    return Response(msgspec.json.encode(readiness), status, {"Cache-Control": "no-store"}, JSON)
