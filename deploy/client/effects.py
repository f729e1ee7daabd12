"""What the logic of this client asks of the outside, as values: it does no input and output itself.

An operation is a generator. It yields an effect, is sent the reply, and returns its result; `Client` and `AsyncClient`
perform the effects, each in its way. So there is one logic, and it can be tested without a network or a clock.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

from deploy.client.sources import Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """path: under the server's URL. read_timeout: seconds without a byte of an answer."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    read_timeout: float
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Source | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """headers: their names in lower case. body: empty where it is read piece by piece."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Broken:
    """There was no answer. sent: whether the server may have got the request."""

    reason: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Send:
    """-> Answer | Broken."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """-> Answer | Broken. A successful answer's body is left to be read; what was open before is closed."""

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """-> the next bytes of what is open, b"" at its end | Broken."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """-> None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Do:
    """-> what the function returns. It works with files, and may take its time."""

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Give(Generic[T]):
    """-> None. One item for whoever iterates."""

    item: T


Effect = Send | Open | Read | Sleep | Do
Steps = Generator[Effect, Any, T]
Stream = Generator[Effect | Give[T], Any, None]


def send(request: Request) -> Steps[Answer | Broken]:
    return cast(Answer | Broken, (yield Send(request)))


def open_(request: Request) -> Steps[Answer | Broken]:
    return cast(Answer | Broken, (yield Open(request)))


def read() -> Steps[bytes | Broken]:
    return cast(bytes | Broken, (yield Read()))


def sleep(seconds: float) -> Steps[None]:
    yield Sleep(seconds)


def do(function: Callable[[], T]) -> Steps[T]:
    return cast(T, (yield Do(function)))
