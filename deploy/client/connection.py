"""What both clients have in common where they meet httpx: settings, arguments, and what its errors mean."""

import inspect
import os
from collections.abc import Callable, Mapping
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypedDict, TypeVar, get_args

import httpx

from deploy.client.effects import Answer, Broken, Request
from deploy.client.errors import InvalidRequest

URL, DEFAULT_URL = "TORCHRELAY_URL", "http://127.0.0.1:8000"
API_KEY = "TORCHRELAY_API_KEY"
CONNECT = 10.0  # seconds

# What a request may raise that is not the caller's doing. Reading a body that is badly compressed is among it.
FAILURES = (httpx.TransportError, httpx.DecodingError)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

F = TypeVar("F", bound=Callable[..., Any])


class Settings(TypedDict):
    base_url: httpx.URL
    headers: Mapping[str, str]


class Arguments(TypedDict):
    method: str
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    timeout: httpx.Timeout


def settings(url: str | None, api_key: str | None) -> Settings:
    """From the arguments, or else from the environment. Raises InvalidRequest."""
    key = (os.environ.get(API_KEY, "") if api_key is None else api_key).strip()
    if not (key.isascii() and key.isprintable()):
        raise InvalidRequest("The API key has characters that no key has: is it copied whole, and alone?")
    headers = {"User-Agent": f"torchrelay-client/{_version()}", "Accept": "application/json, application/problem+json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return Settings(base_url=_url((url or os.environ.get(URL) or DEFAULT_URL).strip()), headers=headers)


def arguments(request: Request) -> Arguments:
    """Its body is given in another way to each client."""
    return Arguments(
        method=request.method,
        url=request.path,
        params=request.query,
        headers=request.headers,
        timeout=httpx.Timeout(request.read_timeout, connect=min(CONNECT, request.read_timeout)),
    )


def answer_of(response: httpx.Response, body: bytes = b"") -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def broken_by(error: Exception, url: httpx.URL) -> Broken:
    """Raises InvalidRequest for what could never be sent."""
    if isinstance(error, httpx.LocalProtocolError):
        raise InvalidRequest(f"This cannot be sent: {error}.") from error
    sent = not isinstance(error, _NOT_SENT)
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        return Broken(f"{url} cannot be reached ({error or 'no answer'}): is Torchrelay running there?", sent)
    if isinstance(error, httpx.TimeoutException):
        return Broken(f"{url} does not answer in time", sent)
    return Broken(f"{url} broke off ({error or type(error).__name__})", sent)


def described_by(make: Callable[..., Any]) -> Callable[[F], F]:
    """Makes a method tell about itself what the operation does that it performs, with `self` as its first parameter."""

    def describe(method: F) -> F:
        wrapped: Any = wraps(make)(method)
        signature = inspect.signature(make)
        _, *others = signature.parameters.values()
        first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        returned = get_args(signature.return_annotation)[-1]  # of the generator: what it ends with; None where it gives
        told = inspect.Signature.empty if returned in {None, type(None)} else returned
        wrapped.__signature__ = signature.replace(parameters=[first, *others], return_annotation=told)
        described: F = wrapped
        return described

    return describe


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InvalidRequest(f"{text!r} is no URL: {error}.") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidRequest(f"{text!r} is no URL of a server: it must begin with http:// or https://.")
    return url


def _version() -> str:
    try:
        return version("torchrelay")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0"
