"""One range of bytes (RFC 9110, section 14)."""

import pytest

from api_service.byte_range import Part, asked_part
from api_service.errors import RangeNotSatisfiable

SIZE = 1000


@pytest.mark.parametrize(
    ("header", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-", 500, 1000),
        ("bytes=999-", 999, 1000),
        ("bytes=900-100000", 900, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-5000", 0, 1000),
        (" Bytes = 1-2 ", 1, 3),
        ("bytes=0-" + "9" * 18, 0, 1000),
    ],
)
def test_a_part_is_asked_for(header: str, begin: int, end: int) -> None:
    assert asked_part(header, SIZE) == Part(begin, end, SIZE)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "items=0-1",
        "bytes=0-1,5-6",
        "bytes=0-1,",
        "bytes=--1",
        "bytes=1.5-2",
        "bytes=" + "9" * 5000 + "-",
        "bytes=0-" + "9" * 19,
        "bytes=٣-٤",
    ],
)
def test_what_is_no_single_range_is_ignored(header: str | None) -> None:
    assert asked_part(header, SIZE) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=5000-6000", "bytes=-0"])
def test_what_begins_behind_the_end_cannot_be_had(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as raised:
        asked_part(header, SIZE)
    assert raised.value.size == SIZE


def test_of_nothing_there_is_no_part() -> None:
    with pytest.raises(RangeNotSatisfiable):
        asked_part("bytes=-5", 0)


def test_a_part_says_where_it_is() -> None:
    assert (Part(5, 10, 100).content_range, Part(5, 10, 100).length) == ("bytes 5-9/100", 5)
