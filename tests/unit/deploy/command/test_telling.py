"""Events as lines."""

from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.client import Event
from deploy.command.telling import line_of


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        ("state", {"state": "running", "attempt": 1}, "running"),
        ("state", {"state": "running", "attempt": 2}, "running (attempt 2)"),
        ("progress", {"fraction": 0.4, "message": "epoch 2"}, " 40% epoch 2"),
        ("progress", {"fraction": 1, "message": None}, "100%"),
        ("log", {"level": "info", "message": "one\ntwo"}, "one\n                   two"),
        ("log", {"level": "error", "message": "no \x1b[31mink"}, "error: no \N{REPLACEMENT CHARACTER}[31mink"),
        ("metrics", {"values": {"loss": 0.5, "acc": 1}, "step": 3}, "step 3: loss=0.5 acc=1"),
        ("metrics", {"values": {"loss": 0.5}, "step": None}, "loss=0.5"),
        ("new", {"a": 1, "b": None}, "a=1"),
        ("state", "odd", "odd"),
    ],
)
def test_an_event_is_a_line(kind: str, data: Any, told: str) -> None:
    assert line_of(Event(seq=1, type=kind, data=data)) == f"{'':8} {kind:<9} {told}"


def test_its_time_is_ours() -> None:
    at = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    assert line_of(Event(seq=1, type="log", at=at, data="x")).startswith(at.astimezone().strftime("%H:%M:%S log "))
