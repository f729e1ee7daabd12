"""What webhooks are signed with, and what became of those of a job."""

from fastapi import Request, Response

from api_service.caller import Scope, caller_of
from api_service.documentation import NO_JOB, answer, problems
from api_service.plain_route import group
from api_service.routes.job_response import JSON, JobId, parse_job_id, unknown
from api_service.runtime import runtime_of
from api_service.webhooks.views import DeliveryList, SecretView, render_deliveries, render_secret
from shared.database.deliveries import list_deliveries
from shared.database.webhook_secrets import WebhookSecret, get_webhook_secret, rotate_webhook_secret

router = group("Webhooks")

_SECRET_EXAMPLE = {
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw1bNzF0pKcXo=",
    "created_at": "2026-01-05T09:30:00.120000Z",
    "previous_until": None,
}
_DELIVERY_EXAMPLE = {
    "id": "7f1c9d8e-93a4-4b5e-8f57-0c6d3f1f2a10",
    "event": "job.succeeded",
    "url": "https://example.com/hook",
    "state": "delivered",
    "tries": [
        {"at": "2026-01-05T09:30:00.240000Z", "status": 503, "error": "answered with 503", "seconds": 0.08},
        {"at": "2026-01-05T09:30:05.310000Z", "status": 204, "error": None, "seconds": 0.05},
    ],
    "next_try_at": None,
    "created_at": "2026-01-05T09:30:00.230000Z",
    "finished_at": "2026-01-05T09:30:05.360000Z",
}


@router.get(
    "/v1/webhook-secret",
    summary="Get what your webhooks are signed with",
    responses={200: answer("The secret.", SecretView, example=_SECRET_EXAMPLE), **problems(details={})},
)
async def get_secret(request: Request) -> Response:
    """Made when it is first asked for. Whoever receives your webhooks needs it, and nobody else."""
    owner = caller_of(request, Scope.SUBMIT).owner
    return _secret(await get_webhook_secret(runtime_of(request).database, owner))


@router.post(
    "/v1/webhook-secret",
    summary="Rotate what your webhooks are signed with",
    responses={
        200: answer(
            "The new secret.", SecretView, example=_SECRET_EXAMPLE | {"previous_until": "2026-01-06T09:30:00.120000Z"}
        ),
        **problems(details={}),
    },
)
async def rotate_secret(request: Request) -> Response:
    """The one before signs along for a day, so that no receiver misses an event. Rotating twice within it ends that."""
    runtime, owner = runtime_of(request), caller_of(request, Scope.SUBMIT).owner
    return _secret(await rotate_webhook_secret(runtime.database, owner, runtime.webhook_secret_overlap))


@router.get(
    "/v1/jobs/{job_id}/webhook-deliveries",
    summary="List what a job's webhook was told",
    responses={
        200: answer("Its deliveries, the oldest first.", DeliveryList, example={"deliveries": [_DELIVERY_EXAMPLE]}),
        **problems(details=NO_JOB),
    },
)
async def list_webhook_deliveries(request: Request, job_id: JobId) -> Response:
    """One for each end of the job that its webhook is to be told of, with every try."""
    owner, wanted = caller_of(request, Scope.READ).sees, parse_job_id(job_id)
    found = await list_deliveries(runtime_of(request).database, owner, wanted)
    if found is None:
        raise unknown(wanted)
    return Response(render_deliveries(found), media_type=JSON)


def _secret(secret: WebhookSecret) -> Response:
    return Response(render_secret(secret), headers={"Cache-Control": "no-store"}, media_type=JSON)
