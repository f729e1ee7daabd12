"""Cursors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.cursor import decode_cursor, encode_cursor
from api_service.errors import DoesNotFit
from tests.unit.api_service.jobs import ID


def test_a_cursor_leads_back_to_where_it_came_from() -> None:
    assert decode_cursor(encode_cursor(ID)) == ID


@given(st.text(max_size=30))
def test_anything_else_does_not_fit(text: str) -> None:
    with pytest.raises(DoesNotFit) as caught:
        decode_cursor(text)

    assert caught.value.faults[0].path == "/query/cursor"
