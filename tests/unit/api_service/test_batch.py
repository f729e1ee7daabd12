"""Splitting a batch's body, without paying for what is too much of it."""

import time
import tracemalloc

import pytest

from api_service.batch import MAX_JOBS, split_batch
from api_service.errors import DoesNotFit, MalformedBody


def body(*items: str) -> bytes:
    return f'{{"jobs": [{", ".join(items)}]}}'.encode()


def test_each_item_is_what_was_sent() -> None:
    items = ['{"a":  1.50}', "null", '"é"', "[1,\n2]"]

    assert split_batch(body(*items)) == [item.encode() for item in items]


def test_a_thousand_items_are_taken_and_no_more() -> None:
    assert len(split_batch(body(*["1"] * MAX_JOBS))) == MAX_JOBS == 1000
    for count in (0, 1001):
        with pytest.raises(DoesNotFit) as refused:
            split_batch(body(*["1"] * count))
        assert [fault.path for fault in refused.value.faults] == ["/jobs"]


@pytest.mark.parametrize(
    ("sent", "path"), [(b"[]", ""), (b"1", ""), (b"{}", ""), (b'{"jobs": {}}', "/jobs"), (b'{"jobs": [1], "x": 1}', "")]
)
def test_what_is_no_batch_is_refused_with_the_place(sent: bytes, path: str) -> None:
    with pytest.raises(DoesNotFit) as refused:
        split_batch(sent)
    assert [fault.path for fault in refused.value.faults] == [path]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"[[",
        b'{"jobs": {"a": 1',
        b'{"jobs": "\xff"}',
        b'{"jobs": [1',
        b'{"jobs": [NaN]}',
        b'{"jobs": [' + b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_refused(sent: bytes) -> None:
    with pytest.raises(MalformedBody):
        split_batch(sent)


def test_millions_of_items_cost_nothing() -> None:
    sent = b'{"jobs": [' + b"{}," * 5_000_000 + b"{}]}"
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(DoesNotFit):
        split_batch(sent)
    took, (_, most) = time.perf_counter() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000
    assert took < 0.1
