"""Idempotency-Key headers, and which bodies are the same."""

import hashlib
import re

import pytest

from api_service.errors import DoesNotFit, MalformedBody, MalformedKey
from api_service.idempotency import PATTERN, canonical, digest_of, digest_of_list, parse_key

KEYS = {
    "abc": "abc",
    '"abc"': "abc",
    "x": "x",
    "k" * 255: "k" * 255,
    f'"{"k" * 255}"': "k" * 255,
    r'"a\"b\\c"': r'a"b\c',
    f'"{chr(92) * 510}"': chr(92) * 255,
    'a"b': 'a"b',
    "two words": "two words",
    '" "': " ",
    "a, b; c=1": "a, b; c=1",
    "8e03978e-40d5-43dd-bc93-6894a57f9324": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
NO_KEYS = {
    "empty": "",
    "empty, quoted": '""',
    "too long": "k" * 256,
    "too long, quoted": f'"{"k" * 256}"',
    "not closed": '"abc',
    "only opened": '"',
    "something behind": '"abc" d',
    "a parameter": '"abc";a=1',
    "an escape of its own": r'"a\n"',
    "ends in an escape": '"abc\\"',
    "a tab": "a\tb",
    "a line": "abc\n",
    "NUL": "a\x00",
    "DEL": "a\x7f",
    "not ASCII": "schlüssel",
    "not ASCII, quoted": '"schlüssel"',
}


@pytest.mark.parametrize(("header", "key"), KEYS.items())
def test_the_quoted_and_the_bare_form_are_the_same_key(header: str, key: str) -> None:
    assert parse_key([header]) == key


@pytest.mark.parametrize("header", NO_KEYS.values(), ids=NO_KEYS.keys())
def test_what_cannot_be_a_key_is_refused(header: str) -> None:
    with pytest.raises(MalformedKey):
        parse_key([header])


def test_several_headers_must_say_the_same() -> None:
    assert parse_key(["abc", '"abc"', "abc"]) == "abc"
    with pytest.raises(MalformedKey):
        parse_key(["abc", "abd"])


@pytest.mark.parametrize("header", [*KEYS, *NO_KEYS.values()])
def test_the_document_says_of_each_whether_it_is_one(header: str) -> None:
    assert bool(re.search(PATTERN, header.rstrip("\n"))) == (header in KEYS or header == "abc\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1, "b": [1, {"c": 2, "d": 3}]}', '{"b":[1,{"d":3,"c":2}],"a":1}'),
        ('"\\u00e9\\/"', '"é/"'),
        ("0.1", "0.10"),
        ("1e2", "100.0"),
        ('{"a": 1, "a": 2}', '{"a": 2}'),
        (" [ ] ", "[]"),
    ],
)
def test_bodies_that_say_the_same_are_the_same(one: str, other: str) -> None:
    assert digest_of(one.encode()) == digest_of(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("[1, 2]", "[2, 1]"),
        ('{"a": null}', "{}"),
        ('"1"', "1"),
        ('{"a": 1}', '{"a": true}'),
        ("123456789012345678901234567890", "123456789012345678901234567891"),
    ],
)
def test_bodies_that_say_something_else_are_not(one: str, other: str) -> None:
    assert digest_of(one.encode()) != digest_of(other.encode())


def test_the_digest_is_that_of_the_json_with_sorted_keys() -> None:
    assert digest_of(b'{ "b": "\\u00e4", "a": [1.50] }') == hashlib.sha256('{"a":[1.5],"b":"ä"}'.encode()).hexdigest()


@pytest.mark.parametrize("items", [[], ['{"b": 1, "a": 2}'], ['{"b": 1, "a": 2}', "[ ]", "3"]])
def test_a_list_taken_item_by_item_has_the_digest_of_the_whole(items: list[str]) -> None:
    whole = f'{{"jobs": [{", ".join(items)}]}}'.encode()
    assert digest_of_list("jobs", [canonical(item.encode()) for item in items]) == digest_of(whole)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b'"\xff"', b"[" * 100_000 + b"]" * 100_000, b"1 2", b'"\\ud800"'], ids=repr
)
def test_what_is_not_json_has_no_digest(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        digest_of(body)


@pytest.mark.parametrize("body", [b"[1e999]", b"1" * 5000], ids=["float", "integer"])
def test_numbers_out_of_range_have_none_either(body: bytes) -> None:
    with pytest.raises(DoesNotFit):
        digest_of(body)
