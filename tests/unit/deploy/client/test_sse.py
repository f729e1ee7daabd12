"""Server-sent events, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.client import sse
from deploy.client.errors import UnexpectedAnswer
from deploy.client.sse import Message, Parser

STREAM = (
    b"\xef\xbb\xbf: a comment\n"
    b"id: 1\nevent: state\ndata: one\n\n"
    b"id: 2\r\nevent: log\r\ndata: two\r\ndata:  lines\r\n\r\n"
    b"id: 3\rdata:no space\r\r"
    b"event: progress\n\n"  # without data it is none
    b"retry: 1500\nunknown: field\nid: has\0null\ndata\n\n"
    b": ping\n\n"
    b"id: 4\ndata: gr\xc3\xb6\xc3\x9fer\n\n"
    b"id: 5\ndata: cut off"
)
MESSAGES = [
    Message("1", "state", "one"),
    Message("2", "log", "two\n lines"),
    Message("3", "message", "no space"),
    Message("3", "message", ""),
    Message("4", "message", "größer"),
]


@given(st.lists(st.integers(0, len(STREAM))))
def test_it_makes_no_difference_where_the_stream_is_cut(cuts: list[int]) -> None:
    parser = Parser()
    pieces = [STREAM[a:b] for a, b in pairwise([0, *sorted(cuts), len(STREAM)])]

    assert [message for piece in pieces for message in parser.feed(piece)] == MESSAGES
    assert parser.retry == 1.5


def test_byte_by_byte() -> None:
    parser = Parser()

    assert [m for at in range(len(STREAM)) for m in parser.feed(STREAM[at : at + 1])] == MESSAGES


def test_an_event_comes_with_its_last_byte_also_where_lines_end_with_cr_alone() -> None:
    assert list(Parser().feed(b"data: now\r\r")) == [Message("", "message", "now")]


@pytest.mark.parametrize("piece", [b"x" * 1000, b"data: x\n" * 200])
def test_an_event_without_an_end_costs_no_memory_without_one(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST", 5_000)
    parser = Parser()

    with pytest.raises(UnexpectedAnswer):
        [list(parser.feed(piece)) for _ in range(10)]
