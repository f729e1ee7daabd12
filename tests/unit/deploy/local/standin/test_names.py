import pytest

from deploy.local.standin.errors import InvalidArgument
from deploy.local.standin.names import SUBSCRIPTIONS, TOPICS, check_name, check_project, project_of


@pytest.mark.parametrize("name", ["abc", "a" * 255, "Aa0-_.~+%"])
def test_an_allowed_name(name: str) -> None:
    assert check_name(f"projects/p/topics/{name}", TOPICS)


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 256, "1abc", "googabc", "a b c", "a/b/c", "abc\n", "äbc", "_deleted-topic_"]
)
def test_a_name_that_is_not_allowed(name: str) -> None:
    with pytest.raises(InvalidArgument, match=r"Invalid \[topics\] name"):
        check_name(f"projects/p/topics/{name}", TOPICS)


@pytest.mark.parametrize(
    "name", ["nonsense", "projects//topics/abc", "projects/p/subscriptions/abc", "projects/a/b/topics/abc"]
)
def test_a_name_of_something_else(name: str) -> None:
    with pytest.raises(InvalidArgument):
        check_name(name, TOPICS)


def test_projects() -> None:
    assert check_project("projects/p") == "projects/p"
    assert project_of(check_name("projects/p/subscriptions/abc", SUBSCRIPTIONS)) == "projects/p"
    with pytest.raises(InvalidArgument):
        check_project("p")
