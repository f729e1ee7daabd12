from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.broker.chunks import chunks


@given(st.lists(st.text(max_size=12)), st.integers(1, 5), st.integers(1, 20))
def test_everything_is_in_it_once_in_order_and_within_both_limits(items: list[str], most: int, most_bytes: int) -> None:
    split = list(chunks(items, most, most_bytes, len))
    assert [item for chunk in split for item in chunk] == items
    assert all(len(chunk) <= most for chunk in split)
    assert all(sum(map(len, chunk)) <= most_bytes or len(chunk) == 1 for chunk in split)


@given(st.lists(st.text(max_size=12)), st.integers(1, 5), st.integers(1, 20))
def test_no_chunk_ends_before_it_must(items: list[str], most: int, most_bytes: int) -> None:
    split = list(chunks(items, most, most_bytes, len))
    for chunk, following in pairwise(split):
        assert len(chunk) == most or sum(map(len, chunk)) + len(following[0]) > most_bytes
