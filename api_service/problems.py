"""Every error as `application/problem+json` (RFC 9457), rendered in this one place."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from api_service.errors import (
    BodyTooLarge,
    BodyTooSlow,
    DoesNotFit,
    EncodedBody,
    ForeignHost,
    InvalidToken,
    IssuerUnavailable,
    KeyReused,
    MalformedBody,
    MalformedForm,
    MalformedKey,
    NotJson,
    PreconditionFailed,
    QueueFull,
    RangeNotSatisfiable,
    RateLimited,
    ResultGone,
    ScopeTooSmall,
    StillStoring,
    TooManyWaiting,
    TryLater,
    Unauthenticated,
    UnknownDeadLetter,
    UploadsBusy,
)
from shared.errors import (
    BlobsUnavailable,
    DatabaseUnavailable,
    Fault,
    TorchrelayError,
    UnknownJob,
    UnknownModel,
    UnreadableMessage,
    WrongState,
)

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """What all problems of one kind have in common."""

    status: HTTPStatus
    title: str
    headers: Mapping[str, str] | None = None
    detail: str | None = None  # instead of the error's own text, where that is not for clients


KINDS: Mapping[type[TorchrelayError], Kind] = {
    MalformedBody: Kind(HTTPStatus.BAD_REQUEST, "The body is not JSON"),
    MalformedKey: Kind(HTTPStatus.BAD_REQUEST, "The Idempotency-Key cannot be one"),
    MalformedForm: Kind(HTTPStatus.BAD_REQUEST, "The form cannot be used"),
    Unauthenticated: Kind(HTTPStatus.UNAUTHORIZED, "Who are you?", {"WWW-Authenticate": "Bearer"}),
    InvalidToken: Kind(
        HTTPStatus.UNAUTHORIZED, "Your credentials are not good", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    ),
    ScopeTooSmall: Kind(
        HTTPStatus.FORBIDDEN,
        "Your credentials do not allow this",
        {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    ),
    ForeignHost: Kind(HTTPStatus.FORBIDDEN, "This host is not served"),
    UnknownJob: Kind(HTTPStatus.NOT_FOUND, "No such job"),
    UnknownModel: Kind(HTTPStatus.NOT_FOUND, "No such model"),
    UnknownDeadLetter: Kind(HTTPStatus.NOT_FOUND, "No such dead letter"),
    WrongState: Kind(HTTPStatus.CONFLICT, "The job's state does not allow this"),
    UnreadableMessage: Kind(HTTPStatus.CONFLICT, "The message still cannot be read"),
    StillStoring: Kind(HTTPStatus.CONFLICT, "The first one is still being stored", {"Retry-After": "1"}),
    ResultGone: Kind(HTTPStatus.GONE, "The result has been purged"),
    PreconditionFailed: Kind(HTTPStatus.PRECONDITION_FAILED, "It is another one"),
    RangeNotSatisfiable: Kind(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "There is no such part"),
    BodyTooSlow: Kind(HTTPStatus.REQUEST_TIMEOUT, "The body does not come", {"Connection": "close"}),
    # The server throws the rest of the body away. Closing at once would cost the client this answer.
    BodyTooLarge: Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    NotJson: Kind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON"),
    EncodedBody: Kind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must not be encoded"),
    DoesNotFit: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "The request does not fit"),
    KeyReused: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "The Idempotency-Key was used for something else"),
    DatabaseUnavailable: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database does not answer",
        {"Retry-After": "2"},
        "Try again in a moment. A submission may or may not have been stored.",
    ),
    BlobsUnavailable: Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The store for files does not answer",
        {"Retry-After": "10"},
        "Try again in a moment.",
    ),
    UploadsBusy: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "Too many uploads at once", {"Retry-After": "5"}),
    # How long is said by each error itself.
    RateLimited: Kind(HTTPStatus.TOO_MANY_REQUESTS, "You submit too fast", {"Retry-After": "1"}),
    TooManyWaiting: Kind(HTTPStatus.TOO_MANY_REQUESTS, "You have too many jobs waiting", {"Retry-After": "1"}),
    QueueFull: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "The queue is full", {"Retry-After": "1"}),
    IssuerUnavailable: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "Your token cannot be checked now", {"Retry-After": "1"}),
}
INTERNAL = Kind(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error", detail="It has been logged.")


class Problem(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An error (RFC 9457). `code` is stable; `errors` say what is wrong with a request, and where."""

    type: str
    title: str
    status: int
    detail: str | None = None
    code: str
    errors: list[Fault] | None = None


def problem(
    kind: Kind,
    code: str,
    detail: str | None,
    *,
    faults: tuple[Fault, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = Problem(
        type=f"urn:torchrelay:problem:{code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        code=code,
        errors=list(faults) or None,
    )
    return Response(msgspec.json.encode(body), kind.status, {**(kind.headers or {}), **(headers or {})}, MEDIA_TYPE)


def render(error: TorchrelayError) -> Response:
    """The answer to any error of ours. One without a kind is a fault of this program, and says nothing to clients."""
    kind = next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), INTERNAL)
    if kind is INTERNAL:
        log.error("unexpected error", exc_info=error)
        return problem(kind, TorchrelayError.code, kind.detail)
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE and not isinstance(error, TryLater):
        log.warning("cannot serve", code=error.code, error=str(error))
    faults = error.faults if isinstance(error, DoesNotFit) else ()
    return problem(kind, error.code, kind.detail or str(error) or None, faults=faults, headers=_headers(error))


def _headers(error: TorchrelayError) -> Mapping[str, str]:
    """What this very error says, besides what all of its kind do."""
    match error:
        case TryLater(retry_after=seconds):
            return {"Retry-After": str(seconds)}
        case RangeNotSatisfiable(size=size):
            return {"Content-Range": f"bytes */{size}"}
        case _:
            return {}


async def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, TorchrelayError)
    return render(error)


async def _http(request: Request, error: Exception) -> Response:
    """404 of a route that there is not, 405, and the like, as the framework raises them."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = error.detail if error.detail != status.phrase else None
    headers = error.headers
    if status is HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _allowed(request)):
        headers = {"Allow": ", ".join(sorted(allowed))}
    return problem(Kind(status, status.phrase), status.name.lower(), detail, headers=headers)


def _allowed(request: Request) -> set[str]:
    """The methods of all routes with this path. The framework names those of the first only."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    return {
        method
        for route in routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }


async def _query(_: Request, error: Exception) -> Response:
    """Query parameters that the framework refused."""
    assert isinstance(error, RequestValidationError)
    faults = [Fault("".join(f"/{part}" for part in one["loc"]), one["msg"]) for one in error.errors()]
    return render(DoesNotFit("The parameters do not fit.", faults))


async def _gone(_: Request, __: Exception) -> Response:
    """Nobody is there to read it; 499 is what others put into their logs for it."""
    return Response(status_code=499)


async def _unexpected(_: Request, __: Exception) -> Response:
    """The framework raises the exception again after this answer, so that the server logs it."""
    return problem(INTERNAL, TorchrelayError.code, INTERNAL.detail)


def install(app: FastAPI) -> None:
    app.add_exception_handler(TorchrelayError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _query)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)
