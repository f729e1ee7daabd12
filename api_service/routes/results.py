"""GET /v1/jobs/{job_id}/result: the bare result, from the row or from the blob store."""

from hashlib import sha256
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request, Response

from api_service.caller import Scope, caller_of
from api_service.content_response import Content, asked_of, blob_response, inline_response
from api_service.documentation import JOB_EXAMPLE, NO_JOB, answer, header, problems
from api_service.errors import ResultGone
from api_service.plain_route import PlainRoute, group
from api_service.routes.job_response import JSON, JobId, parse_job_id, unknown
from api_service.runtime import Runtime, runtime_of
from shared.database.reading import get_job
from shared.errors import BlobMissing, WrongState
from shared.job import Job
from shared.states import JobState

log = structlog.get_logger(__name__)

router = group("Jobs", PlainRoute)

# A result never changes, but it can be deleted: whoever keeps it asks before it is used again.
_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization", "X-Content-Type-Options": "nosniff"}
_ETAG = header("The SHA-256 of the result.")
_RESULT = {JSON: {"schema": {}, "example": JOB_EXAMPLE["result"]}}


def _parameter(name: str, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


@router.get(
    "/v1/jobs/{job_id}/result",
    summary="Get a result",
    responses={
        200: {
            "description": "The bare result, as the model gave it.",
            "headers": {"ETag": _ETAG, "Accept-Ranges": header("`bytes`.")},
            "content": _RESULT,
        },
        206: {
            "description": "The part that `Range` asks for.",
            "headers": {"ETag": _ETAG, "Content-Range": header("Which bytes these are, and of how many.")},
            "content": {JSON: {"schema": {}, "example": '{"digit": 7, "prob'}},
        },
        304: answer("You have it, as `If-None-Match` says.", headers={"ETag": _ETAG}),
        **problems(
            details={
                **NO_JOB,
                HTTPStatus.CONFLICT: "The job has not finished, or ended without a result.",
                HTTPStatus.GONE: "The result has been purged.",
                HTTPStatus.PRECONDITION_FAILED: "The result is not the one that `If-Match` names.",
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "The part begins behind the end; `Content-Range` says where "
                "that is.",
                HTTPStatus.SERVICE_UNAVAILABLE: "The database, or the store of large results, does not answer; "
                "`Retry-After` says when to try again.",
            }
        ),
    },
    openapi_extra={
        "parameters": [
            _parameter("Range", "One range of bytes. Several, and what is none, are ignored.", "bytes=0-1023"),
            _parameter(
                "If-Range", "The `ETag` of what you have of it: the whole result, if that is another one.", '"9f86d081"'
            ),
            _parameter("If-None-Match", "The `ETag` of the result that you have.", '"9f86d081"'),
            _parameter("If-Match", "The `ETag` that the result must have.", '"9f86d081"'),
        ]
    },
)
async def get_result(request: Request, job_id: JobId) -> Response:
    """Only the result, without the job around it. One that is large is sent as fast as you take it.

    Who takes nothing for a minute is cut off. A download that was cut off goes on with `Range` and `If-Range`.
    """
    runtime, owner, wanted = runtime_of(request), caller_of(request, Scope.READ).sees, parse_job_id(job_id)
    job = await runtime.statuses.get(owner, wanted)
    if job is None:
        raise unknown(job_id)
    if job.state is not JobState.SUCCEEDED:
        ending = "ended without a result" if job.state.finished else "has no result yet"
        raise WrongState(f"The job is {job.state}: it {ending}.")
    if job.result is not None:
        text = job.result.encode()
        content = Content(len(text), sha256(text).hexdigest(), _HEADERS)
        return inline_response(text, asked_of(content, request.headers), JSON)
    return await _from_store(runtime, request, job, owner)


async def _from_store(runtime: Runtime, request: Request, job: Job, owner: str | None) -> Response:
    if job.result_key is None or job.result_size is None or job.result_sha256 is None:
        raise _purged()
    asked = asked_of(Content(job.result_size, job.result_sha256, _HEADERS), request.headers)
    try:
        return await blob_response(runtime.blobs, job.result_key, asked, JSON)
    except BlobMissing:
        raise await _missing(runtime, job, owner) from None


async def _missing(runtime: Runtime, job: Job, owner: str | None) -> Exception:
    """Purged or deleted since its row was read. Else somebody has lost it, and asking again will not bring it back: 410."""
    now = await get_job(runtime.database, owner, job.id)
    if now is None:
        return unknown(job.id)
    if now.result_key is None:
        return _purged()
    log.error("a result is lost: the blob store does not have it", job_id=str(job.id), key=job.result_key)
    return ResultGone("The store of large results has lost it.")


def _purged() -> ResultGone:
    return ResultGone("The result was kept for a while, and has been purged.")
