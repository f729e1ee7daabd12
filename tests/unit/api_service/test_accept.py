"""Which of two forms a client wants."""

import pytest

from api_service.accept import prefers


@pytest.mark.parametrize(
    ("accept", "stream"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("Text/Event-Stream ; Q=1.0", True),
        ("text/*", True),
        ("text/event-stream, */*", True),
        ("text/event-stream, application/json", False),
        ("text/event-stream;q=0.9, application/json", False),
        ("text/event-stream, application/json;q=0.9", True),
        ("text/event-stream, application/*;q=0.999", True),
        ("text/event-stream;q=0, */*", False),
        ("text/event-stream;q=0", False),
        ("*/*;q=0.5, application/json;q=0.1", True),
        ("text/*;q=0.9, text/event-stream;q=0.1, application/json;q=0.5", False),
        ("text/event-stream;q=2", False),
        ("text/event-stream;q=x, application/json;q=0.1", False),
        ("text/html, application/xml", False),
        ("text/event-stream;charset=utf-8", True),
        (";;,,/,q=1", False),
        ("text/event-stream" + ",x/y" * 10_000, True),
    ],
)
def test_the_quality_decides_then_how_exactly_it_is_named_then_json(accept: str, *, stream: bool) -> None:
    assert prefers([accept], "text/event-stream", "application/json") is stream


def test_several_headers_are_one_list() -> None:
    headers = ["application/json;q=0.5", "text/event-stream"]
    assert prefers(headers, "text/event-stream", "application/json")
    assert not prefers([], "text/event-stream", "application/json")
