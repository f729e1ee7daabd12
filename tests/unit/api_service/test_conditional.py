"""Entity tags and If-None-Match, as RFC 9110 has them."""

import pytest

from api_service.conditional import etag, matches, newest_revision
from tests.unit.api_service.jobs import job


def test_the_tag_is_weak_and_differs_with_the_input() -> None:
    assert etag(job(revision=7)) == 'W/"7"'
    assert etag(job(revision=7), with_input=True) != etag(job(revision=7))


@pytest.mark.parametrize("known", ['W/"7"', '"7"', "*", " * ", '"1", W/"7"', '"a,b","7"', ' W/"7" ,"8"'])
def test_what_the_client_has_matches_weakly(known: str) -> None:
    assert matches(known, 'W/"7"')


@pytest.mark.parametrize("known", [None, "", '"8"', "7", "W/7", '"7', 'w/"7"', '"77"', '"*"', 'nonsense, "7"'])
def test_anything_else_does_not(known: str | None) -> None:
    assert not matches(known, 'W/"7"')


@pytest.mark.parametrize(
    ("known", "revision"),
    [(None, 0), ("*", 0), ('W/"7"', 7), ('"7", W/"9", "8"', 9), ('"x"', 0), ('W/"7+input"', 7), (f'"{"9" * 5000}"', 0)],
)
def test_the_newest_revision_that_the_client_has_seen(known: str | None, revision: int) -> None:
    assert newest_revision(known) == revision


def test_the_tag_with_input_is_understood_as_a_revision() -> None:
    assert newest_revision(etag(job(revision=12), with_input=True)) == 12
