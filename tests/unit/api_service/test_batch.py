"""Splitting a batch's body, without paying for what is too much of it."""

import asyncio
import time
import tracemalloc
from collections.abc import Awaitable
from typing import Any, cast

import pytest

from api_service.batch import MAX_JOBS, BatchIntake, split_batch
from api_service.errors import DoesNotFit, MalformedBody
from api_service.submission import Intake
from shared.job import NewJob
from tests.unit.api_service.jobs import new_job


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


class Taking:
    """An intake that takes everything at once."""

    def allowance(self) -> None:
        """Nothing is referred to."""

    async def accept(self, *_: object) -> NewJob:
        return new_job()


@pytest.mark.parametrize("what", ["digest", "accept"])
async def test_others_have_their_turn_between_two_jobs(what: str) -> None:
    """16 MiB take a while."""
    batches = BatchIntake(cast("Intake", Taking()), 100)
    items, turns = [b"1"] * 50, 0
    checked: Awaitable[Any] = batches.digest(items) if what == "digest" else batches.accept("ada", items)
    checking = asyncio.ensure_future(checked)
    while not checking.done():
        turns += 1
        await asyncio.sleep(0)

    await checking
    assert turns >= 50
