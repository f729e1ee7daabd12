import pytest

from deploy.local.standin.errors import InvalidArgument
from deploy.local.standin.paging import page


def test_pages_follow_each_other_whatever_comes_and_goes() -> None:
    there = ["d", "a", "b", "c"]
    first, token = page(there, 2, "")
    assert list(first) == ["a", "b"]
    there.remove("b")
    there.append("e")
    second, token = page(there, 2, token)
    assert list(second) == ["c", "d"]
    assert page(there, 2, token) == (["e"], "")


def test_without_a_size_a_page_is_large_and_never_larger_than_a_thousand() -> None:
    names = [f"{number:05}" for number in range(1_500)]
    assert [len(page(names, size, "")[0]) for size in (0, 5_000)] == [1_000, 1_000]
    assert page([], 0, "") == ([], "")


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        page([], -1, "")
