import pytest

from deploy.local.standin.errors import InvalidArgument
from deploy.local.standin.filters import parse

ATTRIBUTES = {"lang": "en", "place": "at home", "quoted": 'a "b"', "iana.org/x": "1"}


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("", True),
        ("attributes:lang", True),
        ("attributes:missing", False),
        ('attributes.lang = "en"', True),
        ('attributes.lang="de"', False),
        ('attributes.missing = "en"', False),
        ('attributes.lang != "de"', True),
        ('attributes.lang != "en"', False),
        ('attributes.missing != "en"', True),
        ('hasPrefix(attributes.place, "at ")', True),
        ('hasPrefix(attributes.place, "home")', False),
        ('hasPrefix(attributes.missing, "")', False),
        ("NOT attributes:lang", False),
        ("-attributes:lang", False),
        ("NOT attributes:missing AND attributes:lang", True),
        ('attributes:lang AND attributes.lang = "en" AND attributes:place', True),
        ("attributes:lang AND attributes:missing", False),
        ("attributes:missing OR attributes:other OR attributes:lang", True),
        ("attributes:missing OR attributes:other", False),
        ("(attributes:missing OR attributes:lang) AND attributes:place", True),
        ("NOT (attributes:missing OR attributes:lang)", False),
        ('attributes:"iana.org/x"', True),
        ('attributes."iana.org/x" = "1"', True),
        (r'attributes.quoted = "a \"b\""', True),
    ],
)
def test_the_language(text: str, *, accepted: bool) -> None:
    assert parse(text)(ATTRIBUTES) is accepted


@pytest.mark.parametrize(
    "text",
    [
        "bogus",
        "attributes",
        "attributes:",
        "attributes.lang",
        "attributes.lang = en",
        'attributes.lang < "en"',
        "attributes:lang attributes:place",
        "attributes:lang AND",
        "(attributes:lang",
        "attributes:lang)",
        "NOT NOT attributes:lang",
        'hasPrefix(attributes.lang "e")',
        'attributes.lang = "en',
        'data = "x"',
        "attributes:lang and attributes:place",
        " ",
    ],
)
def test_what_is_not_of_the_language_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="Invalid filter"):
        parse(text)


def test_and_with_or_takes_parentheses() -> None:
    with pytest.raises(InvalidArgument, match="parentheses"):
        parse("attributes:a AND attributes:b OR attributes:c")


def test_a_filter_may_have_256_characters() -> None:
    parse(f"attributes:{'k' * 245}")
    with pytest.raises(InvalidArgument, match="256"):
        parse(f"attributes:{'k' * 246}")
