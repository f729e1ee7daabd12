"""Checking inputs against schemas."""

from typing import Any

import pytest

from api_service.errors import MalformedBody
from api_service.schema_check import MAX_FAULTS, MAX_MESSAGE, SchemaCheck, pointer
from shared.errors import InvalidModel
from shared.states import Task

KEY = ("model", 1, Task.INFERENCE)
NUMBERS = {"type": "array", "items": {"type": "number"}}


def test_what_fits_has_no_faults() -> None:
    assert SchemaCheck().check(KEY, NUMBERS, b"[1, 2.5]").faults == []


def test_faults_say_where_and_why() -> None:
    (fault,) = SchemaCheck().check(KEY, {"properties": {"a/b~": NUMBERS}}, b'{"a/b~": [1, "x"]}').faults

    assert fault.path == "/a~1b~0/1"
    assert "number" in fault.message


def test_there_are_only_so_many_and_so_long_faults() -> None:
    check = SchemaCheck()

    assert len(check.check(KEY, NUMBERS, b"[" + b'"x",' * 100 + b'"x"]').faults) == MAX_FAULTS
    (long,) = check.check(KEY, NUMBERS, b'["' + b"x" * 10_000 + b'"]').faults
    assert len(long.message) == MAX_MESSAGE + 1


def test_a_schema_is_compiled_once_even_if_it_is_read_anew() -> None:
    check = SchemaCheck()
    check.check(KEY, NUMBERS, b"[]")
    compiled = check._compiled[KEY].validator
    check.check(KEY, dict(NUMBERS), b"[]")

    assert check._compiled[KEY].validator is compiled


def test_another_schema_for_the_same_version_is_compiled_anew() -> None:
    check = SchemaCheck()
    assert check.check(KEY, NUMBERS, b'"x"').faults
    assert not check.check(KEY, {"type": "string"}, b'"x"').faults
    assert check.check(("other", 1, Task.INFERENCE), NUMBERS, b'"x"').faults


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "https://example.com/schema.json"}])
def test_a_schema_that_cannot_be_used_is_the_models_fault(schema: dict[str, str]) -> None:
    with pytest.raises(InvalidModel, match="'model' version 1"):
        SchemaCheck().check(KEY, schema, b"1")


@pytest.mark.parametrize("document", [b"[" * 5000 + b"]" * 5000, b'"\\ud800"', b'"\xff"'])
def test_what_cannot_be_read_is_malformed(document: bytes) -> None:
    with pytest.raises(MalformedBody):
        SchemaCheck().check(KEY, {}, document)


def test_a_number_that_no_float_holds_is_a_fault() -> None:
    assert SchemaCheck().check(KEY, {}, b"1e999").faults[0].path == ""


def test_pointers_to_the_whole_are_empty() -> None:
    assert pointer([]) == ""


REFERENCE = {"type": "string", "format": "upload-id"}


def references(schema: dict[str, Any], document: bytes) -> dict[str, str]:
    checked = SchemaCheck().check(KEY, schema, document)
    assert checked.faults == []
    return dict(checked.references)


def test_references_are_found_by_their_format_with_their_places() -> None:
    schema = {"properties": {"a/b~": {"type": "array", "items": {"properties": {"upload": REFERENCE}}}}}
    assert references(schema, b'{"a/b~": [{}, {"upload": "x"}], "upload": "y"}') == {"/a~1b~0/1/upload": "x"}


def test_all_alternatives_that_fit_count_and_no_others() -> None:
    """Also behind one that fits already: a model may take the later one."""
    named, counted = {"properties": {"upload": REFERENCE}}, {"properties": {"upload": REFERENCE, "n": NUMBERS}}
    assert references({"anyOf": [{}, named]}, b'{"upload": "x"}') == {"/upload": "x"}
    assert references({"anyOf": [{}, counted]}, b'{"upload": "x", "n": "no numbers"}') == {}


def test_an_input_that_does_not_fit_has_no_references() -> None:
    checked = SchemaCheck().check(KEY, {"properties": {"a": REFERENCE, "b": NUMBERS}}, b'{"a": "x", "b": 1}')
    assert checked.faults
    assert not checked.references


def test_other_formats_are_not_checked() -> None:
    """As before there were uploads: what the model's own types make of them, they say."""
    assert references({"properties": {"a": REFERENCE, "when": {"format": "date-time"}}}, b'{"when": "soon"}') == {}
