"""Messages that nobody could read: what they say, and what is to become of them."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response

from api_service.caller import Scope, caller_of
from api_service.cursor import decode_time_cursor, encode_time_cursor
from api_service.dead_letter_views import DeadLetterPage, DeadLetterView, render_dead_letter, render_dead_letters
from api_service.documentation import RETRY_AFTER, WAITING_EXAMPLE, answer, problems
from api_service.errors import UnknownDeadLetter
from api_service.plain_route import group
from api_service.routes.job_response import JSON, job_response
from api_service.runtime import runtime_of
from api_service.views import JobView
from shared.database import dead_letters
from shared.database.dead_letters import Redrive
from shared.errors import WrongState
from shared.message import JobMessage
from shared.states import JobState

router = group("Dead letters")

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

_LISTED_EXAMPLE = {
    "id": "6f0c2f0e-6a3b-5d0f-9a53-0d7c2b9f4e11",
    "queue": "digits",
    "reason": "version 2 of the message, where 1 is understood",
    "received_at": "2026-01-05T09:30:00.120000Z",
    "size": 76,
    "attributes": {"model": "digits", "task": "inference"},
}
_EXAMPLE = _LISTED_EXAMPLE | {
    "data": '{"v": 2, "job_id": "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55", "publish_no": 1}',
    "encoding": "utf-8",
}
_NO_LETTER = {HTTPStatus.NOT_FOUND: "No such dead letter: deleted, redriven, or past its retention."}

# Kept a string here: what is no UUID is no letter's id (404), not a request that does not fit (422).
LetterId = Annotated[str, Path(description="As the list gave it.", json_schema_extra={"format": "uuid"})]


@router.get(
    "/v1/dead-letters",
    summary="List dead letters",
    responses={
        200: answer(
            "A page of dead letters, newest first.",
            DeadLetterPage,
            example={"dead_letters": [_LISTED_EXAMPLE], "next_cursor": None},
        ),
        **problems(details={HTTPStatus.UNPROCESSABLE_ENTITY: "The parameters do not fit."}),
    },
)
async def list_dead_letters(
    request: Request,
    # Postgres has no text with U+0000 in it.
    queue: Annotated[str | None, Query(description="Only those of this queue.", pattern=r"^[^\x00]*$")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(description="The `next_cursor` of the page before.")] = None,
) -> Response:
    """Messages that no worker could read, newest first, without their data. Needs the scope `admin`."""
    caller_of(request, Scope.ADMIN)
    before = None if cursor is None else decode_time_cursor(cursor)
    found = await dead_letters.list_dead_letters(runtime_of(request).database, queue, limit + 1, before)
    page = found[:limit]
    next_cursor = encode_time_cursor(page[-1].received_at, page[-1].id) if len(found) > limit else None
    return Response(render_dead_letters(page, next_cursor), media_type=JSON)


@router.get(
    "/v1/dead-letters/{letter_id}",
    summary="Inspect a dead letter",
    responses={200: answer("The letter.", DeadLetterView, example=_EXAMPLE), **problems(details=_NO_LETTER)},
)
async def get_dead_letter(request: Request, letter_id: LetterId) -> Response:
    """With its data: as text where it is UTF-8, else in base64. Needs the scope `admin`."""
    caller_of(request, Scope.ADMIN)
    found = await dead_letters.get_dead_letter(runtime_of(request).database, _parse(letter_id))
    if found is None:
        raise _unknown(letter_id)
    return Response(render_dead_letter(*found), media_type=JSON)


@router.post(
    "/v1/dead-letters/{letter_id}/redrive",
    summary="Redrive a dead letter",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        202: answer(
            "The letter's job, to be published anew. The letter is gone.",
            JobView,
            headers={"Retry-After": RETRY_AFTER},
            example=WAITING_EXAMPLE,
        ),
        **problems(
            details={
                **_NO_LETTER,
                HTTPStatus.CONFLICT: "It still cannot be read (`unreadable_message`), or its job is gone, does not wait any "
                "more, or has been published again since (`wrong_state`). The detail says which; the letter stays.",
            }
        ),
    },
)
async def redrive_dead_letter(request: Request, letter_id: LetterId) -> Response:
    """For a letter that can be read by now: a newer release may know its version. Needs the scope `admin`.

    Its job is published anew if it still waits under the letter's number, and the letter is removed with it. Any other
    letter has nothing more to do: delete it.
    """
    caller_of(request, Scope.ADMIN)
    runtime, wanted = runtime_of(request), _parse(letter_id)
    found = await dead_letters.get_dead_letter(runtime.database, wanted)
    if found is None:
        raise _unknown(letter_id)
    letter, data = found
    message = JobMessage.decode(data, dict(letter.attributes))
    done = await dead_letters.redrive_dead_letter(runtime.database, wanted, message.job_id, message.publish_no)
    if done is None:
        raise _unknown(letter_id)
    if done.job is None:
        raise WrongState(f"{_why_not(done, message)} Nothing is left to redrive; the letter can be deleted.")
    runtime.statuses.saw([done.job])
    runtime.on_requeued()
    return job_response(done.job, HTTPStatus.ACCEPTED, {"Retry-After": runtime.paces.retry_after(done.job)})


@router.delete(
    "/v1/dead-letters/{letter_id}",
    summary="Delete a dead letter",
    status_code=HTTPStatus.NO_CONTENT,
    responses={204: answer("It is gone."), **problems(details=_NO_LETTER)},
)
async def delete_dead_letter(request: Request, letter_id: LetterId) -> Response:
    """Its job, if it is one's, is left as it is. Needs the scope `admin`."""
    caller_of(request, Scope.ADMIN)
    if not await dead_letters.delete_dead_letter(runtime_of(request).database, _parse(letter_id)):
        raise _unknown(letter_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _why_not(done: Redrive, message: JobMessage) -> str:
    if done.state is None:
        return f"There is no job {message.job_id} any more."
    if done.state is not JobState.QUEUED:
        return f"Job {message.job_id} is {done.state}."
    return (
        f"Job {message.job_id} is queued under another number than the letter's: {done.publish_no}, "
        f"not {message.publish_no}. A message of its own is on its way."
    )


def _parse(text: str) -> UUID:
    """Raises UnknownDeadLetter for what cannot be an id."""
    try:
        return UUID(text)
    except ValueError:
        raise UnknownDeadLetter(f"{text!r} is not a dead letter's id.") from None


def _unknown(letter_id: str) -> UnknownDeadLetter:
    return UnknownDeadLetter(f"There is no dead letter {letter_id}.")
