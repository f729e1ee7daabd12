"""GET /v1/jobs/{job_id}/events."""

from collections.abc import Sequence
from contextlib import ExitStack
from http import HTTPStatus
from urllib.parse import parse_qs

from fastapi import Request, Response

from api_service.accept import prefers
from api_service.caller import Scope, caller_of
from api_service.documentation import NO_JOB, answer, problems
from api_service.errors import DoesNotFit
from api_service.event_response import MEDIA_TYPE, EventResponse
from api_service.event_views import EventList, render_events
from api_service.plain_route import PlainRoute, group
from api_service.routes.job_response import JSON, JobId, parse_job_id, unknown
from api_service.runtime import runtime_of
from shared.database.events import read_events
from shared.errors import Fault

router = group("Jobs", PlainRoute)

LARGEST = 2**31 - 1  # what the database counts with
_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}

_EXAMPLE = {
    "events": [
        {
            "seq": 2,
            "type": "state",
            "at": "2026-01-05T09:30:00.190000Z",
            "data": {"state": "running", "attempt": 1},
        },
        {
            "seq": 3,
            "type": "metrics",
            "at": "2026-01-05T09:30:04.020000Z",
            "data": {"values": {"loss": 0.31}, "step": 1},
        },
        {
            "seq": 4,
            "type": "log",
            "at": "2026-01-05T09:30:04.030000Z",
            "data": {"level": "info", "message": "epoch 1 of 5 has ended"},
        },
        {
            "seq": 5,
            "type": "progress",
            "at": "2026-01-05T09:30:04.040000Z",
            "data": {"fraction": 0.2, "message": "epoch 2 of 5"},
        },
    ],
    "last_seq": 5,
}
_STREAM_EXAMPLE = (
    'id: 2\nevent: state\ndata: {"seq":2,"type":"state","at":"2026-01-05T09:30:00.190000Z",'
    '"data":{"state":"running","attempt":1}}\n\n'
)


def _answers() -> dict[str, object]:
    listed = answer("The events, or a stream of them.", EventList, example=_EXAMPLE)
    listed["content"][MEDIA_TYPE] = {"schema": {"type": "string"}, "example": _STREAM_EXAMPLE}
    return listed


@router.get(
    "/v1/jobs/{job_id}/events",
    summary="Follow a job",
    responses={
        200: _answers(),
        204: answer("Only as a stream: the job has finished, and there is nothing newer. Do not connect again."),
        **problems(details={**NO_JOB, HTTPStatus.UNPROCESSABLE_ENTITY: "`after` or `Last-Event-ID` is no number."}),
    },
    openapi_extra={
        "parameters": [
            {
                "name": "after",
                "in": "query",
                "description": "The number of the last event that you have.",
                "schema": {"type": "integer", "minimum": 0, "maximum": LARGEST, "default": 0},
            },
            {
                "name": "Last-Event-ID",
                "in": "header",
                "description": "The same, as browsers send it when they connect again. Of a stream it counts instead.",
                "schema": {"type": "string"},  # digits; where nothing is streamed it is not looked at
                "example": "2",
            },
        ]
    },
)
async def get_events(request: Request, job_id: JobId) -> Response:
    """What has happened to a job: its moves between states, and the progress, logs and metrics of its model.

    At most 1,000 at once; go on with `after=<last_seq>`. An answer without events has your `after` as its `last_seq`:
    there is nothing newer yet.

    With `Accept: text/event-stream` they come as server-sent events when they happen (`id` is `seq`, `data` the event),
    until the job has finished. A job that is retried goes on with the next number.
    """
    runtime, owner = runtime_of(request), caller_of(request, Scope.READ).sees
    wanted, after = parse_job_id(job_id), _after(request)
    if prefers(request.headers.getlist("accept"), MEDIA_TYPE, JSON):
        with ExitStack() as stack:
            stream = stack.enter_context(
                runtime.event_streams.follow(owner, wanted, _number(request.headers.getlist("last-event-id"), after))
            )
            page = await stream.page()
            if page is None:
                raise unknown(wanted)
            if page.ended and not page.events:
                return Response(None, HTTPStatus.NO_CONTENT, _HEADERS)
            return EventResponse(stream, page, stack.pop_all())
    (page,) = await read_events(runtime.database, [(owner, wanted, after)], runtime.events_per_answer)
    if page is None:
        raise unknown(wanted)
    return Response(render_events(page, after), headers=_HEADERS, media_type=JSON)


def _after(request: Request) -> int:
    """Raises DoesNotFit."""
    asked = parse_qs(request.scope["query_string"].decode("latin-1"), keep_blank_values=True).get("after")
    return 0 if asked is None else _parsed(asked[-1], "/query/after")


def _number(headers: Sequence[str], after: int) -> int:
    """An empty one is what a client sends that has none."""
    return _parsed(headers[-1], "/header/last-event-id") if headers and headers[-1] else after


def _parsed(text: str, path: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST:
        return int(text)
    raise DoesNotFit("The parameters do not fit.", [Fault(path, f"a number from 0 to {LARGEST}")])
