"""Lists of jobs; cancelling, retrying and deleting them."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from api_service.blob_removal import remove_blobs
from api_service.caller import Scope, caller_of
from api_service.cursor import decode_cursor, encode_cursor
from api_service.documentation import (
    JOB_EXAMPLE,
    LISTED_EXAMPLE,
    NO_JOB,
    RETRY_AFTER,
    WAITING_EXAMPLE,
    answer,
    problems,
)
from api_service.plain_route import group
from api_service.routes.job_response import JSON, JobId, job_response, parse_job_id, unknown
from api_service.runtime import runtime_of
from api_service.views import JobPage, JobView, render_page
from shared.database import listing, moves
from shared.database.listing import JobFilter
from shared.errors import WrongState
from shared.states import JobState, Task

router = group("Jobs")

MAX_LIMIT = 200
DEFAULT_LIMIT = 50


@router.get(
    "/v1/jobs",
    summary="List jobs",
    responses={
        200: answer("A page of jobs, newest first.", JobPage, example={"jobs": [LISTED_EXAMPLE], "next_cursor": None}),
        **problems(details={HTTPStatus.UNPROCESSABLE_ENTITY: "The parameters do not fit."}),
    },
)
async def list_jobs(
    request: Request,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    # Postgres has no text with U+0000 in it.
    model: Annotated[str | None, Query(description="Only jobs of this model.", pattern=r"^[^\x00]*$")] = None,
    task: Annotated[Task | None, Query(description="Only jobs of this task.")] = None,
    batch_id: Annotated[UUID | None, Query(description="Only jobs that were submitted together.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(description="The `next_cursor` of the page before.")] = None,
) -> Response:
    """Your jobs, newest first, without their inputs and results. Filters add up.

    Follow `next_cursor` until it is null. Every job that was stored before you asked for the first page, and that is
    there and fits the filters when its page is read, is on exactly one page, whatever arrives, changes or is deleted
    meanwhile. A job that is stored later is on one of the later pages or on none. A cursor never expires, also where the
    job that it was made from is deleted.
    """
    runtime, owner = runtime_of(request), caller_of(request, Scope.READ).sees
    before = None if cursor is None else decode_cursor(cursor)
    wanted = JobFilter(state, model, task, batch_id)
    found = await listing.list_jobs(runtime.database, owner, wanted, limit + 1, before)
    runtime.statuses.saw(found)
    page = found[:limit]
    next_cursor = encode_cursor(page[-1].id) if len(found) > limit else None
    return Response(render_page(page, next_cursor), media_type=JSON)


@router.post(
    "/v1/jobs/{job_id}/cancel",
    summary="Cancel a job",
    responses={
        200: answer("The job is cancelled, now or before.", JobView, example=JOB_EXAMPLE | {"state": "cancelled"}),
        202: answer(
            "The job is being stopped.",
            JobView,
            headers={"Retry-After": RETRY_AFTER},
            example=WAITING_EXAMPLE | {"state": "cancelling", "attempt": 1, "started_at": JOB_EXAMPLE["started_at"]},
        ),
        **problems(details={**NO_JOB, HTTPStatus.CONFLICT: "The job has finished otherwise."}),
    },
)
async def cancel_job(request: Request, job_id: JobId) -> Response:
    """A queued job is cancelled at once; a running one as soon as its work has really stopped. May be repeated."""
    runtime = runtime_of(request)
    job = await moves.cancel_job(runtime.database, caller_of(request, Scope.SUBMIT).sees, parse_job_id(job_id))
    if job is None:
        raise unknown(job_id)
    runtime.statuses.saw([job])
    if job.state is JobState.CANCELLED:
        return job_response(job, HTTPStatus.OK, {})
    if job.state is JobState.CANCELLING:
        return job_response(job, HTTPStatus.ACCEPTED, {"Retry-After": runtime.paces.retry_after(job)})
    raise WrongState(f"The job has finished: it is {job.state}.")


@router.post(
    "/v1/jobs/{job_id}/retry",
    summary="Retry a job",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        202: answer(
            "The same job, queued again.", JobView, headers={"Retry-After": RETRY_AFTER}, example=WAITING_EXAMPLE
        ),
        **problems(details={**NO_JOB, HTTPStatus.CONFLICT: "The job is not failed, cancelled or expired."}),
    },
)
async def retry_job(request: Request, job_id: JobId) -> Response:
    """Queues a failed, cancelled or expired job again, with a new budget of attempts and a new deadline."""
    runtime = runtime_of(request)
    found = await moves.retry_job(runtime.database, caller_of(request, Scope.SUBMIT).sees, parse_job_id(job_id))
    if found is None:
        raise unknown(job_id)
    job, queued_again = found
    runtime.statuses.saw([job])
    if not queued_again:
        raise WrongState(f"The job is {job.state}: only failed, cancelled and expired ones can be queued again.")
    runtime.on_requeued()
    return job_response(job, HTTPStatus.ACCEPTED, {"Retry-After": runtime.paces.retry_after(job)})


@router.delete(
    "/v1/jobs/{job_id:job}",
    summary="Delete a job",
    status_code=HTTPStatus.NO_CONTENT,
    responses={
        204: answer("The job is gone, with its result, its events and the log of its webhooks."),
        **problems(details={**NO_JOB, HTTPStatus.CONFLICT: "The job has not finished: cancel it first."}),
    },
)
async def delete_job(request: Request, job_id: JobId) -> Response:
    """Only a job that has finished. Its `Idempotency-Key` is free again, and webhooks that wait are not sent any more."""
    runtime, wanted = runtime_of(request), parse_job_id(job_id)
    found = await moves.delete_job(runtime.database, caller_of(request, Scope.SUBMIT).sees, wanted)
    match found:
        case None:
            raise unknown(job_id)
        case moves.Deleted(key=key):
            runtime.statuses.changed([wanted])
            await remove_blobs(runtime.blobs, [key] if key else ())
            return Response(None, HTTPStatus.NO_CONTENT)
        case _:
            raise WrongState(f"The job is {found.state}: only what has finished can be deleted.")
