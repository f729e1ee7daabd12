"""The client for programs on asyncio."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, closing
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


def _call(
    make: Callable[Concatenate[Policy, P], Steps[T]],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    @described_by(make)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._result(make(self.policy, *args, **kwargs))

    return method


def _each(
    make: Callable[Concatenate[Policy, P], Stream[T]],
) -> Callable[Concatenate["AsyncClient", P], AsyncIterator[T]]:
    @described_by(make)
    def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self._items(make(self.policy, *args, **kwargs))

    return method


class AsyncClient:
    """As Client, with the same methods: `await` them, or iterate with `async for` over what gives several, such as `list`.

    Whoever leaves such an iteration early closes its connection with `contextlib.aclosing`.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        patience: float = PATIENCE,
        timeout: float = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.policy = Policy(patience=patience, timeout=timeout)
        self._http = httpx.AsyncClient(**settings(url, api_key), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes its connections."""
        await self._http.aclose()

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

    async def _result(self, steps: Steps[T]) -> T:
        with closing(steps):
            async with _Performer(self._http) as perform:
                reply: Any = None
                while True:
                    try:
                        effect = steps.send(reply)
                    except StopIteration as end:
                        value: T = end.value
                        return value
                    reply = await perform(effect)

    async def _items(self, stream: Stream[T]) -> AsyncIterator[T]:
        with closing(stream):
            async with _Performer(self._http) as perform:
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
                        reply = await perform(effect)


class _Performer:
    """Performs the effects of one operation. What works with files does so in a thread."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._open = AsyncExitStack()
        self._pieces: AsyncIterator[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def __call__(self, effect: Effect) -> Any:
        match effect:
            case Send(request):
                return await self._answer(request, self._send)
            case Open(request):
                return await self._answer(request, self._start)
            case Read():
                return await self._read()
            case Sleep(seconds):
                return await asyncio.sleep(seconds)
            case Do(function):
                return await asyncio.to_thread(function)

    async def _answer(self, request: Request, ask: Callable[[Request], Awaitable[Answer]]) -> Answer | Broken:
        try:
            return await ask(request)
        except FAILURES as error:
            return broken_by(error, self._http.base_url)

    async def _send(self, request: Request) -> Answer:
        response = await self._http.request(**arguments(request), content=_content(request))
        return answer_of(response, response.content)

    async def _start(self, request: Request) -> Answer:
        await self._open.aclose()
        streaming = self._http.stream(**arguments(request), content=_content(request))
        response = await self._open.enter_async_context(streaming)
        if not response.is_success:
            return answer_of(response, await response.aread())
        self._pieces = response.aiter_bytes()
        return answer_of(response)

    async def _read(self) -> bytes | Broken:
        assert self._pieces is not None, "nothing is open"
        try:
            return await anext(self._pieces, b"")
        except FAILURES as error:
            return broken_by(error, self._http.base_url)


def _content(request: Request) -> bytes | AsyncIterator[bytes] | None:
    return _pieces(request.body) if isinstance(request.body, Source) else request.body


async def _pieces(source: Source) -> AsyncIterator[bytes]:
    pieces = source.pieces()
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
