from typing import Any

import pytest

from shared.uploads import parse_upload_id, whole_reference

ANYTHING: dict[str, Any] = {}
NAMED: dict[str, Any] = {"type": "object", "properties": {"upload": {"type": "string"}}}


def test_an_input_of_nothing_but_a_reference_is_an_upload() -> None:
    assert whole_reference(b' {"upload" : "x"}\n', ANYTHING) == "x"


@pytest.mark.parametrize(
    "document",
    [
        b'{"upload": 1}',
        b'{"upload": "x", "more": 1}',
        b'{"more": {"upload": "x"}}',
        b'["upload"]',
        b'"upload"',
        b'{"upload": "\xff"}',
        b'{"upload": "x"',
        b'{"upload": "' + b"x" * 2000 + b'"}',
    ],
)
def test_anything_else_is_no_upload(document: bytes) -> None:
    assert whole_reference(document, ANYTHING) is None


@pytest.mark.parametrize(
    "schema",
    [
        NAMED,
        {"anyOf": [{"type": "null"}, NAMED]},
        {"$ref": "#/$defs/Input", "$defs": {"Input": NAMED}},
        {"$defs": {"a/b": {"allOf": [NAMED]}}, "oneOf": [{"$ref": "#/$defs/a~1b"}]},
    ],
)
def test_a_model_with_a_field_of_that_name_means_its_own(schema: dict[str, Any]) -> None:
    assert whole_reference(b'{"upload": "x"}', schema) is None


def test_a_field_of_that_name_further_down_is_another_matter() -> None:
    assert whole_reference(b'{"upload": "x"}', {"properties": {"image": NAMED}}) == "x"


def test_a_schema_that_contains_itself_or_leads_nowhere_ends() -> None:
    for schema in ({"$ref": "#"}, {"$ref": "#/nowhere"}, {"anyOf": [{"$ref": "#"}]}):
        assert whole_reference(b'{"upload": "x"}', schema) == "x"


def test_an_id_is_a_uuid() -> None:
    assert parse_upload_id("0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55") is not None
    assert parse_upload_id("../../etc/passwd") is None
