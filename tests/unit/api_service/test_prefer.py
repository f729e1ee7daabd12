"""`Prefer: wait=N` as RFC 7240 has it."""

import pytest

from api_service.prefer import preferred_wait


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        (["wait=10"], 10),
        (["Wait = 10"], 10),
        (['WAIT="10"'], 10),
        (["wait=0"], 0),
        (["wait=0010"], 10),
        (["wait=61"], 60),
        (["wait=" + "9" * 900], 60),
        (["respond-async, wait=10"], 10),
        (["respond-async", "return=minimal, wait=10"], 10),
        (['foo="a, wait=1"; bar="wait=2", wait=10'], 10),
        (["foo; wait=1, wait=10"], 10),
        (["wait=10; strict"], 10),
        (["wait=10, wait=20"], 10),
        (["wait=10", "wait=20"], 10),
        (["???, wait=10"], 10),
        (['foo="open, wait=10'], 10),
        ([", ,wait=10"], 10),
    ],
)
def test_the_first_wait_counts_wherever_it_stands(values: list[str], seconds: int) -> None:
    assert preferred_wait(values, 60) == seconds


@pytest.mark.parametrize(
    "values",
    [[], [""], ["wait"], ["wait="], ["wait=soon"], ["wait=-1"], ["wait=1.5"], ["wait=1 2"], ["wait=²"], ["waiting=5"]],
)
def test_what_is_malformed_is_ignored(values: list[str]) -> None:
    assert preferred_wait(values, 60) is None


def test_a_malformed_wait_is_not_made_good_by_a_later_one() -> None:
    assert preferred_wait(["wait=soon, wait=10"], 60) is None


@pytest.mark.parametrize("nasty", ['"' + '\\"' * 30_000, "a" + " " * 60_000 + "x", "a;" * 30_000 + '"', "a=" * 30_000])
def test_nasty_headers_take_no_time(nasty: str) -> None:
    assert preferred_wait([nasty, nasty[:1000]], 60) is None
