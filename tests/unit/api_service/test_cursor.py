"""Cursors."""

import base64
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.cursor import decode_cursor, decode_time_cursor, encode_cursor, encode_time_cursor
from api_service.errors import DoesNotFit
from tests.unit.api_service.jobs import ID


def test_a_cursor_leads_back_to_where_it_came_from() -> None:
    assert decode_cursor(encode_cursor(ID)) == ID


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_of_a_listing_by_time_does_to_the_microsecond(time: datetime, last: UUID) -> None:
    assert decode_time_cursor(encode_time_cursor(time, last)) == (time, last)


@pytest.mark.parametrize("decode", [decode_cursor, decode_time_cursor])
@given(text=st.text(max_size=40))
def test_anything_else_does_not_fit(decode: Callable[[str], object], text: str) -> None:
    with pytest.raises(DoesNotFit) as caught:
        decode(text)

    assert caught.value.faults[0].path == "/query/cursor"


@given(st.binary(min_size=24, max_size=24))
def test_times_that_there_are_not_do_not_fit(content: bytes) -> None:
    cursor = base64.urlsafe_b64encode(content).decode()
    with suppress(DoesNotFit):
        assert encode_time_cursor(*decode_time_cursor(cursor)) == cursor


def test_cursors_of_the_two_kinds_are_not_mistaken_for_one_another() -> None:
    with pytest.raises(DoesNotFit):
        decode_time_cursor(encode_cursor(ID))
    with pytest.raises(DoesNotFit):
        decode_cursor(encode_time_cursor(datetime.now(UTC), ID))
