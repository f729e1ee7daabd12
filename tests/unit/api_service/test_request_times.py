"""Requests in a histogram."""

from types import SimpleNamespace

import pytest
from starlette.types import Message, Receive, Scope, Send

from api_service.request_times import BOUNDS, RequestTimes, Timed


def samples(times: RequestTimes) -> dict[tuple[str, str], float]:
    """(name, bound or status) of all there is."""
    (family,) = times.collect()
    return {
        (one.name.rpartition("_")[2], one.labels.get("le", one.labels["status"])): one.value for one in family.samples
    }


def test_a_bucket_holds_all_that_was_as_fast() -> None:
    times = RequestTimes()
    for seconds in (0.001, 0.002, 0.02, 100.0):
        times.saw("/v1/jobs", "GET", 200, seconds)

    found = samples(times)

    assert [found["bucket", bound] for bound in ("0.001", "0.0025", "0.01", "0.025", "60.0", "+Inf")] == [
        1,
        2,
        2,
        3,
        3,
        4,
    ]
    assert found["count", "200"] == 4
    assert found["sum", "200"] == pytest.approx(100.023)


def test_there_are_no_more_labels_than_routes_and_methods() -> None:
    times = RequestTimes()
    for number in range(1000):
        times.saw("unmatched", f"M{number}", 404, 0.1)

    assert len(samples(times)) == len(BOUNDS) + 1 + 2


async def test_an_answer_that_never_began_is_the_servers_fault() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = SimpleNamespace(path_format="/broken")
        raise RuntimeError

    async def nothing() -> Message:
        raise AssertionError

    async def nobody(message: Message) -> None:
        raise AssertionError

    times = RequestTimes()
    with pytest.raises(RuntimeError):
        await Timed(broken, times)({"type": "http", "method": "GET"}, nothing, nobody)

    assert samples(times)["count", "500"] == 1
