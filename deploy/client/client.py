"""The client for ordinary programs."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from deploy.client import catalogue, events, jobs, letters, results, uploads, waiting
from deploy.client.connection import FAILURES, answer_of, arguments, broken_by, described_by, settings
from deploy.client.effects import Answer, Broken, Do, Effect, Give, Open, Read, Request, Send, Sleep, Steps, Stream
from deploy.client.retrying import PATIENCE, TIMEOUT, Policy
from deploy.client.sources import Source

P = ParamSpec("P")
T = TypeVar("T")


def _call(make: Callable[Concatenate[Policy, P], Steps[T]]) -> Callable[Concatenate["Client", P], T]:
    @described_by(make)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._result(make(self.policy, *args, **kwargs))

    return method


def _each(make: Callable[Concatenate[Policy, P], Stream[T]]) -> Callable[Concatenate["Client", P], Iterator[T]]:
    @described_by(make)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self._items(make(self.policy, *args, **kwargs))

    return method


class Client:
    """Talks to Torchrelay's API. `with Client() as client: client.run("digits", {"pixels": …})`; threads may share one.

    url, api_key: else of the environment, TORCHRELAY_URL (default http://127.0.0.1:8000) and TORCHRELAY_API_KEY.
    patience: seconds that a call goes on trying while nothing gets through; 0: it is tried once.
    timeout: seconds without a byte of an answer, beyond what the server was asked to wait.
    All errors are TorchrelayClientError.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        patience: float = PATIENCE,
        timeout: float = TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.policy = Policy(patience=patience, timeout=timeout)
        self._http = httpx.Client(**settings(url, api_key), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    submit = _call(jobs.submit)
    submit_batch = _call(jobs.submit_batch)
    run = _call(results.run)
    get = _call(jobs.get)
    wait = _call(waiting.wait)
    follow = _each(waiting.follow)
    events = _each(events.events)
    result = _call(results.result)
    save_result = _call(results.save_result)
    list = _each(jobs.list_jobs)
    cancel = _call(jobs.cancel)
    retry = _call(jobs.retry)
    delete = _call(jobs.delete)
    upload = _call(uploads.upload)
    attach = _call(uploads.attach)
    models = _call(catalogue.models)
    model = _call(catalogue.model)
    promote = _call(catalogue.promote)
    workers = _call(catalogue.workers)
    stats = _call(catalogue.stats)
    webhook_secret = _call(catalogue.webhook_secret)
    webhook_deliveries = _call(catalogue.webhook_deliveries)
    dead_letters = _each(letters.dead_letters)
    dead_letter = _call(letters.dead_letter)
    redrive = _call(letters.redrive)
    delete_dead_letter = _call(letters.delete_dead_letter)

    def _result(self, steps: Steps[T]) -> T:
        with closing(steps), _Performer(self._http) as perform:
            reply: Any = None
            while True:
                try:
                    effect = steps.send(reply)
                except StopIteration as end:
                    value: T = end.value
                    return value
                reply = perform(effect)

    def _items(self, stream: Stream[T]) -> Iterator[T]:
        with closing(stream), _Performer(self._http) as perform:
            reply: Any = None
            while True:
                try:
                    effect = stream.send(reply)
                except StopIteration:
                    return
                if isinstance(effect, Give):
                    yield effect.item
                    reply = None
                else:
                    reply = perform(effect)


class _Performer:
    """Performs the effects of one operation."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._open = ExitStack()
        self._pieces: Iterator[bytes] = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def __call__(self, effect: Effect) -> Any:
        match effect:
            case Send(request):
                return self._answer(request, self._send)
            case Open(request):
                return self._answer(request, self._start)
            case Read():
                return self._read()
            case Sleep(seconds):
                time.sleep(seconds)
                return None
            case Do(function):
                return function()

    def _answer(self, request: Request, ask: Callable[[Request], Answer]) -> Answer | Broken:
        try:
            return ask(request)
        except FAILURES as error:
            return broken_by(error, self._http.base_url)

    def _send(self, request: Request) -> Answer:
        response = self._http.request(**arguments(request), content=_content(request))
        return answer_of(response, response.content)

    def _start(self, request: Request) -> Answer:
        self._open.close()
        response = self._open.enter_context(self._http.stream(**arguments(request), content=_content(request)))
        if not response.is_success:
            return answer_of(response, response.read())
        self._pieces = response.iter_bytes()
        return answer_of(response)

    def _read(self) -> bytes | Broken:
        try:
            return next(self._pieces, b"")
        except FAILURES as error:
            return broken_by(error, self._http.base_url)


def _content(request: Request) -> bytes | Iterator[bytes] | None:
    return request.body.pieces() if isinstance(request.body, Source) else request.body
