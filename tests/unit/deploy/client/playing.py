"""Performs an operation's effects from a script, with a clock that only pauses move."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from deploy.client.effects import Answer, Broken, Do, Give, Open, Read, Request, Send, Sleep
from deploy.client.retrying import Policy

T = TypeVar("T")

LOST = Broken("the line is dead", sent=True)
REFUSED = Broken("nobody there", sent=False)


def problem(status: int, code: str = "some_code", /, **headers: str) -> Answer:
    body = f'{{"type":"t","title":"Title","status":{status},"detail":"Detail.","code":"{code}"}}'
    return Answer(status, {"content-type": "application/problem+json", **headers}, body.encode())


def ok(body: str = "{}", status: int = 200, /, **headers: str) -> Answer:
    return Answer(status, headers, body.encode())


@dataclass
class Play:
    """replies: to Send, Open and Read, in order; an exception is raised.

    took: seconds that each Send lasts. quiet: that each Read does.
    """

    replies: list[Answer | Broken | bytes]
    took: float = 0.0
    quiet: float = 0.0
    now: float = 0.0
    requests: list[Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    @property
    def policy(self) -> Policy:
        """Pauses are not shortened: chance always gives its most."""
        return Policy(clock=lambda: self.now, chance=lambda: 1.0)

    def run(self, steps: Generator[Any, Any, T]) -> T:
        """-> what it returns."""
        items = self._through(steps)
        while True:
            try:
                next(items)
            except StopIteration as end:
                result: T = end.value
                return result

    def items(self, stream: Generator[Any, Any, None]) -> list[Any]:
        return list(self._through(stream))

    def _through(self, steps: Generator[Any, Any, T]) -> Generator[Any, None, T]:
        reply: Any = None
        while True:
            try:
                effect = steps.send(reply)
            except StopIteration as end:
                result: T = end.value
                return result
            reply = None
            match effect:
                case Give(item):
                    yield item
                case Sleep(seconds):
                    self.pauses.append(seconds)
                    self.now += seconds
                case Do(function):
                    reply = function()
                case Send(request) | Open(request):
                    self.requests.append(request)
                    self.now += self.took
                    reply = self.replies.pop(0)
                case Read():
                    self.now += self.quiet
                    reply = self.replies.pop(0)


def sent_headers(requests: Iterable[Request], name: str) -> list[str | None]:
    return [request.headers.get(name) for request in requests]
