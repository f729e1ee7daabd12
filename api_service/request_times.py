"""How long requests took, by route, method and status: counted by hand, in less than a microsecond each."""

from bisect import bisect_left
from collections.abc import Iterator
from time import perf_counter
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Seconds. A poll takes a millisecond; whoever waits, waits up to a minute.
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# A path that nobody serves, or that was refused before it was looked for. Its text is the client's: never a label.
UNMATCHED = "unmatched"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"

_Key = tuple[str, str, int]


class RequestTimes(Collector):
    def __init__(self) -> None:
        self._seen: dict[_Key, list[float]] = {}  # of each bound how many, those beyond the last, and their sum

    def saw(self, route: str, method: str, status: int, seconds: float) -> None:
        key = (route, method if method in METHODS else OTHER, status)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = [0.0] * (len(BOUNDS) + 2)
        seen[bisect_left(BOUNDS, seconds)] += 1
        seen[-1] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(
            "torchrelay_http_request_duration_seconds",
            "From a request's head to the end of its answer, those that wait included.",
            labels=("route", "method", "status"),
        )
        for (route, method, status), seen in list(self._seen.items()):
            family.add_metric((route, method, str(status)), _buckets(seen), seen[-1])
        yield family


def _buckets(seen: list[float]) -> list[tuple[str, float]]:
    """Cumulative, as the format has them."""
    total, buckets = 0.0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), seen, strict=False):
        total += count
        buckets.append((bound, total))
    return buckets


class Timed:
    """ASGI middleware: tells `times` of each request. The route is its template: there are only so many."""

    def __init__(self, app: ASGIApp, times: RequestTimes) -> None:
        self._app = app
        self._times = times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # where the answer never began, the server says so

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = perf_counter()
        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path_format", UNMATCHED)
            self._times.saw(route, scope["method"], status, perf_counter() - began)
