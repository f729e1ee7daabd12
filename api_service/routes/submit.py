"""POST /v1/jobs."""

from contextlib import suppress
from http import HTTPStatus

from fastapi import Request, Response

from api_service.body import read_json
from api_service.caller import Scope, caller_of
from api_service.disconnect import unless_gone
from api_service.documentation import (
    IDEMPOTENCY_KEY,
    JOB_EXAMPLE,
    OVER_QUOTA,
    PREFER,
    PREFERENCE_APPLIED,
    REPLAYED,
    RETRY_AFTER,
    WAITING_EXAMPLE,
    answer,
    header,
    problems,
    schema,
)
from api_service.idempotency import Key, digest_of, parse_key
from api_service.once import Replay
from api_service.plain_route import PlainRoute, group
from api_service.prefer import preferred_wait
from api_service.routes.job_response import job_response
from api_service.runtime import Runtime, runtime_of
from api_service.submission import Submission
from api_service.views import JobView, job_url
from shared.errors import DatabaseUnavailable
from shared.job import Job
from shared.tracing import context_of, traceparent_of

router = group("Jobs", PlainRoute)

_ROUTE = "POST /v1/jobs"
_LOCATION = header("Where the job is.")
_HEADERS = {"Location": _LOCATION, "Preference-Applied": PREFERENCE_APPLIED}
_EXAMPLES = {
    "text-embedding": {
        "summary": "Sentence vectors",
        "value": {"model": "text-embedding", "input": {"texts": ["The job outlives the connection."]}},
    },
    "zero-shot-text": {
        "summary": "Scores of labels, with limits of its own",
        "value": {
            "model": "zero-shot-text",
            "input": {"text": "The battery died after a day.", "labels": ["praise", "complaint"]},
            "queue_ttl": 600,
            "execution_timeout": 60,
            "max_attempts": 1,
            "metadata": {"review": 4711},
        },
    },
}


@router.post(
    "/v1/jobs",
    summary="Submit a job",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        200: answer("With `Prefer: wait`: the job has finished.", JobView, headers=_HEADERS, example=JOB_EXAMPLE),
        202: answer(
            "The job is stored, and will run.",
            JobView,
            headers={**_HEADERS, "Retry-After": RETRY_AFTER, "Idempotent-Replayed": REPLAYED},
            example=WAITING_EXAMPLE,
        ),
        **problems(
            details={
                HTTPStatus.BAD_REQUEST: "The body is not JSON, or the Idempotency-Key cannot be one.",
                HTTPStatus.NOT_FOUND: "No such model, or no such version of it.",
                HTTPStatus.CONFLICT: "The first submission with this Idempotency-Key is still being stored.",
                HTTPStatus.REQUEST_TIMEOUT: "The body did not come to its end.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The input is too large to stand in a submission.",
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body says that it is not JSON.",
                HTTPStatus.UNPROCESSABLE_ENTITY: "The body is not a submission, its input does not fit the model, "
                "or the Idempotency-Key came with another body before.",
                **OVER_QUOTA,
            }
        ),
    },
    openapi_extra={
        "parameters": [PREFER, IDEMPOTENCY_KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema(Submission), "examples": _EXAMPLES}},
        },
    },
)
async def submit_job(request: Request) -> Response:
    """Stores a job and answers at once with its id. It runs as soon as a worker has room; no live worker is no error.

    With `Prefer: wait=N` the answer comes when the job has finished, or after N seconds with the job as it is then.
    With an `Idempotency-Key` it may be repeated without fear of a second job.
    """
    runtime, owner = runtime_of(request), caller_of(request, Scope.SUBMIT).owner
    body = await read_json(request, runtime.body_limit)
    traceparent = traceparent_of(context_of(request.headers)) if "traceparent" in request.headers else None
    if "idempotency-key" in request.headers:
        key = Key(f"{_ROUTE} {parse_key(request.headers.getlist('idempotency-key'))}", digest_of(body))
        job, replayed = await _submit_once(runtime, owner, body, traceparent, key)
    else:
        stored = await _submit(runtime, owner, body, traceparent)
        assert stored is not None  # only a key can have been there before
        job, replayed = stored, False
    headers = {"Location": job_url(job.id)}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    seconds = preferred_wait(request.headers.getlist("prefer"), runtime.max_wait)
    if seconds is not None:
        job = await unless_gone(request, _finished(runtime, owner, job, seconds))
        headers["Preference-Applied"] = f"wait={seconds}"
    if not job.state.finished:
        headers["Retry-After"] = runtime.paces.retry_after(job)
    waited = seconds is not None and job.state.finished
    return job_response(job, HTTPStatus.OK if waited else HTTPStatus.ACCEPTED, headers)


async def _submit(
    runtime: Runtime, owner: str, body: bytes, traceparent: str | None, key: Key | None = None
) -> Job | None:
    """None: another process has stored it under this key."""
    job = await runtime.intake.accept(owner, body, traceparent, key)
    with await runtime.quotas.admit([job]):
        return await runtime.submissions.ask(job)


async def _submit_once(
    runtime: Runtime, owner: str, body: bytes, traceparent: str | None, key: Key
) -> tuple[Job, bool]:
    """-> the job, and whether it had been submitted before."""
    stored = await runtime.once.store(owner, key, lambda: _submit(runtime, owner, body, traceparent, key))
    if not isinstance(stored, Replay):
        return stored, False
    runtime.statuses.saw([stored.job])
    return stored.job, True


async def _finished(runtime: Runtime, owner: str, job: Job, seconds: float) -> Job:
    """The job when it has finished or the time is over. It is stored: a database that is away now makes it no error."""
    with suppress(DatabaseUnavailable):
        return await runtime.watcher.wait(owner, job.id, _is_finished, seconds) or job
    return job


def _is_finished(job: Job) -> bool:
    return job.state.finished
