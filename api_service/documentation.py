"""Pieces of the OpenAPI document that several routes share. Its schemas are made from the very types that are encoded."""

from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from api_service.idempotency import PATTERN
from api_service.problems import KINDS, MEDIA_TYPE, Problem
from shared.errors import TorchrelayError

Piece = dict[str, Any]
Responses = dict[int | str, Piece]


def schema(of: type) -> Piece:
    return {"$ref": f"#/components/schemas/{of.__name__}"}


def answer(description: str, of: type | None = None, *, headers: Piece | None = None, example: Any = None) -> Piece:
    """One response; `of` is what its JSON holds, None: nothing."""
    piece: Piece = {"description": description}
    if headers:
        piece["headers"] = headers
    if of is not None:
        piece["content"] = {"application/json": {"schema": schema(of)}}
        if example is not None:
            piece["content"]["application/json"]["example"] = example
    return piece


def header(description: str, kind: str = "string") -> Piece:
    return {"description": description, "schema": {"type": kind}}


def problems(*, details: dict[HTTPStatus, str], examples: Collection[type[TorchrelayError]] = ()) -> Responses:
    """What can go wrong with a call, besides what can with every call. examples: else the first kind of each status."""
    shown = {KINDS[error].status: error for error in (*reversed(list(KINDS)), *examples)}
    texts = sorted({**_EVERY, **details}.items())
    return {status.value: _problem(status, shown[status], text) for status, text in texts}


_EVERY = {
    HTTPStatus.UNAUTHORIZED: "No credentials, or none that are good.",
    HTTPStatus.FORBIDDEN: "Your credentials do not allow this. Where nobody is asked for any: the request was not meant "
    "for this host, or comes from another site's page.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database does not answer; `Retry-After` says when to try again.",
}
_HEADER_TEXTS = {
    "WWW-Authenticate": "How to say who you are: `Bearer`, and what is wrong with what you sent.",
    "Retry-After": "Seconds to wait before trying again.",
}


def _problem(status: HTTPStatus, error: type[TorchrelayError], text: str) -> Piece:
    kind = KINDS[error]
    example = {"type": f"urn:torchrelay:problem:{error.code}", "title": kind.title, "status": status.value}
    piece: Piece = {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": schema(Problem), "example": example | {"detail": text, "code": error.code}}},
    }
    if kind.headers:
        piece["headers"] = {name: header(_HEADER_TEXTS[name]) for name in kind.headers if name in _HEADER_TEXTS}
    return piece


PREFER: Piece = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=N`: answer when the job has finished, or after N seconds (at most 60). Ignored if malformed.",
    "schema": {"type": "string"},
    "example": "wait=10",
}
IDEMPOTENCY_KEY: Piece = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 characters of your own making, bare or quoted. The same submission with the same key is "
    "stored once; sent again, it is answered with what there is of it now. Kept as long as the job.",
    "schema": {"type": "string", "pattern": PATTERN},
    "example": "5f9f0b3e-order-4711",
}
REPLAYED = header("`true` where it had been submitted before. Absent otherwise.")
RETRY_AFTER = header(
    "Seconds to wait before asking again, from 1 to 60: an estimate of when the job has finished. Only until then.",
    "integer",
)
PREFERENCE_APPLIED = header("What was heeded of `Prefer`.")
NO_JOB = {HTTPStatus.NOT_FOUND: "No such job, or not yours."}

OVER_QUOTA = {
    HTTPStatus.TOO_MANY_REQUESTS: "You submit too fast (`rate_limited`), or have too many jobs waiting "
    "(`too_many_waiting`); `Retry-After` says when to try again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The queue is full (`queue_full`), or the database does not answer; `Retry-After` says "
    "when to try again.",
}

JOB_EXAMPLE: Piece = {
    "id": "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55",
    "task": "inference",
    "model": "digits",
    "version": 3,
    "state": "succeeded",
    "queue": "digits",
    "progress": None,
    "attempt": 1,
    "charged": 0,
    "max_attempts": 3,
    "result": {"digit": 7, "probabilities": [0, 0, 0, 0.01, 0, 0, 0, 0.98, 0, 0.01]},
    "result_url": None,
    "error": None,
    "metadata": {"page": 12},
    "batch_id": None,
    "queue_position": None,
    "created_at": "2026-01-05T09:30:00.120000Z",
    "started_at": "2026-01-05T09:30:00.190000Z",
    "finished_at": "2026-01-05T09:30:00.230000Z",
    "queue_deadline": "2026-01-06T09:30:00.120000Z",
    "purge_at": "2026-01-12T09:30:00.230000Z",
    "urls": {
        "self": "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55",
        "result": "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55/result",
        "cancel": "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55/cancel",
        "retry": "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55/retry",
        "events": "/v1/jobs/0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55/events",
    },
}
WAITING_EXAMPLE: Piece = JOB_EXAMPLE | {
    "state": "queued",
    "attempt": 0,
    "result": None,
    "started_at": None,
    "finished_at": None,
    "purge_at": None,
}
LISTED_EXAMPLE: Piece = {name: value for name, value in JOB_EXAMPLE.items() if name != "result"}
