"""Answers to values, and refusals to errors."""

from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from deploy.client.answers import Problem
from deploy.client.effects import Answer
from deploy.client.errors import ProblemError, TorchrelayClientError, UnexpectedAnswer

T = TypeVar("T")


def read_as(kind: type[T], answer: Answer) -> T:
    """Raises UnexpectedAnswer."""
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = answer.headers.get("content-type", "without a type")
        raise UnexpectedAnswer(f"This is no answer of Torchrelay's ({what}; {error}): is the URL right?") from error


def read_json(answer: Answer) -> Any:
    """Raises UnexpectedAnswer."""
    return read_as(object, answer)


def error_of(answer: Answer, retry_after: float | None) -> TorchrelayClientError:
    """What a refusal is raised as. One that is no problem document comes from whatever stands between."""
    try:
        problem = msgspec.json.decode(answer.body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if answer.status < 400:
            return UnexpectedAnswer(f"The server answers with {answer.status}, a redirection: is the URL right?")
        title = _phrase(answer.status)
        return ProblemError(answer.status, f"http_{answer.status}", title, None, (), retry_after)
    errors = problem.errors or ()
    return ProblemError(answer.status, problem.code, problem.title, problem.detail, errors, retry_after)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP status {status}"
