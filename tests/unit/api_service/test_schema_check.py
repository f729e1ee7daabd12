"""Checking inputs against schemas."""

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
