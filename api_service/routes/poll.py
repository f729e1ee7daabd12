"""GET /v1/jobs/{job_id}: the call that is made most."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import Request, Response

from api_service.caller import Scope, caller_of
from api_service.conditional import etag, matches, newest_revision
from api_service.disconnect import unless_gone
from api_service.documentation import (
    JOB_EXAMPLE,
    NO_JOB,
    PREFER,
    PREFERENCE_APPLIED,
    RETRY_AFTER,
    answer,
    header,
    problems,
)
from api_service.errors import DoesNotFit
from api_service.plain_route import PlainRoute, group
from api_service.prefer import preferred_wait
from api_service.routes.job_response import JobId, job_response, parse_job_id, unknown
from api_service.runtime import Runtime, runtime_of
from api_service.views import JobView
from shared.database.reading import get_input
from shared.errors import Fault
from shared.job import Job

router = group("Jobs", PlainRoute)

LONGEST_WAIT = 60  # seconds; of the contract, a setting may allow less
_ALWAYS = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Prefer"}
_ETAG = header("Changes with every visible change of the job.")


@dataclass(frozen=True, slots=True)
class Poll:
    """What is asked for. wait: seconds, None: answer at once. known: the If-None-Match header."""

    with_input: bool
    wait: int | None
    preference_applied: bool
    known: str | None

    def is_news(self, job: Job) -> bool:
        """Whether a client that waits is to be told."""
        if job.state.finished:
            return True
        return self.known is not None and not matches(self.known, etag(job, with_input=self.with_input))


@router.get(
    "/v1/jobs/{job_id:job}",
    summary="Ask for a job",
    responses={
        200: answer(
            "The job, whatever its state.",
            JobView,
            headers={"ETag": _ETAG, "Retry-After": RETRY_AFTER, "Preference-Applied": PREFERENCE_APPLIED},
            example=JOB_EXAMPLE,
        ),
        304: answer("Nothing has changed since the answer that `If-None-Match` names.", headers={"ETag": _ETAG}),
        **problems(details={**NO_JOB, HTTPStatus.UNPROCESSABLE_ENTITY: "The parameters do not fit."}),
    },
    openapi_extra={
        "parameters": [
            {
                "name": "include",
                "in": "query",
                "description": "`input`: with the input as it was submitted.",
                "schema": {"type": "string", "enum": ["input"]},
            },
            {
                "name": "wait",
                "in": "query",
                "description": "Seconds to wait for news; see above.",
                "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_WAIT},
            },
            PREFER,
            {
                "name": "If-None-Match",
                "in": "header",
                "description": "The `ETag` of the answer that you have.",
                "schema": {"type": "string"},
                "example": 'W/"4"',
            },
        ]
    },
)
async def get_job(request: Request, job_id: JobId) -> Response:
    """The job as it is now.

    With `?wait=N` or `Prefer: wait=N` a finished job is answered at once. An unfinished one is answered when it has
    finished or, with `If-None-Match`, when anything about it has changed; after N seconds the answer is the job as it
    is then, or 304.
    """
    runtime, owner, wanted = runtime_of(request), caller_of(request, Scope.READ).sees, parse_job_id(job_id)
    poll = _read(request, runtime.max_wait)
    job = await _job(request, runtime, owner, wanted, poll)
    if job is None:
        raise unknown(wanted)
    tag = etag(job, with_input=poll.with_input)
    headers = {"ETag": tag, **_ALWAYS}
    if poll.preference_applied:
        headers["Preference-Applied"] = f"wait={poll.wait}"
    unchanged = matches(poll.known, tag)
    position = None if unchanged else await runtime.positions.of(job)
    if not job.state.finished:
        headers["Retry-After"] = runtime.paces.retry_after(job, position)
    if unchanged:
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    return job_response(
        job,
        HTTPStatus.OK,
        headers,
        queue_position=position,
        input_text=await get_input(runtime.database, owner, wanted) if poll.with_input else None,
    )


async def _job(request: Request, runtime: Runtime, owner: str | None, job_id: UUID, poll: Poll) -> Job | None:
    at_least = newest_revision(poll.known)
    if not poll.wait:
        return await runtime.statuses.get(owner, job_id, at_least=at_least)
    waiting = runtime.watcher.wait(owner, job_id, poll.is_news, poll.wait, at_least=at_least)
    return await unless_gone(request, waiting)


def _read(request: Request, max_wait: int) -> Poll:
    """Raises DoesNotFit. By hand, because this is the call that is made most."""
    with_input, wait, preference_applied = False, None, False
    if query := request.scope["query_string"]:
        asked = parse_qs(query.decode("latin-1"), keep_blank_values=True)
        with_input, wait = _include(asked.get("include", ())), _wait(asked.get("wait", ()), max_wait)
    if wait is None:
        wait = preferred_wait(request.headers.getlist("prefer"), max_wait)
        preference_applied = wait is not None
    # Several If-None-Match headers mean the same as one with a list (RFC 9110, section 5.3).
    known = request.headers.getlist("if-none-match")
    return Poll(with_input, wait, preference_applied, ", ".join(known) if known else None)


def _include(values: Sequence[str]) -> bool:
    for value in values:
        if value != "input":
            raise DoesNotFit("The parameters do not fit.", [Fault("/query/include", "can only be `input`")])
    return bool(values)


def _wait(values: Sequence[str], max_wait: int) -> int | None:
    if not values:
        return None
    text = values[-1]
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= LONGEST_WAIT):
        raise DoesNotFit("The parameters do not fit.", [Fault("/query/wait", f"a number from 1 to {LONGEST_WAIT}")])
    return min(int(text), max_wait)
