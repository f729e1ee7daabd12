"""What the schema makes of `name=value`."""

from typing import Any

import pytest

from deploy.client import InvalidRequest
from deploy.command.inputs import build_input, fields_of, parse_file, parse_pair
from ml_service.models.digits.model import Digits
from ml_service.models.echo import Echo
from ml_service.models.text_embedding import TextEmbedding
from ml_service.models.zero_shot_text import ZeroShotText

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["text"],
    "$defs": {"Size": {"type": "integer"}, "Loop": {"$ref": "#/$defs/Loop"}, "Colour": {"enum": ["red", 3, None]}},
    "properties": {
        "text": {"type": "string", "description": "Said."},
        "size": {"$ref": "#/$defs/Size"},
        "weight": {"type": "number"},
        "on": {"type": "boolean"},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "name": {"type": ["string", "null"]},
        "colour": {"allOf": [{"$ref": "#/$defs/Colour"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "sizes": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Size"}}, {"type": "null"}]},
        "rows": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "one_or_many": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "box": {"type": "object"},
        "anything": {},
        "loop": {"$ref": "#/$defs/Loop"},
    },
}


def built(*options: str, schema: dict[str, Any] = SCHEMA) -> Any:
    return build_input(schema, [parse_pair(option) for option in options])


@pytest.mark.parametrize(
    ("options", "value"),
    [
        (["text=abc"], "abc"),
        (["text=5"], "5"),
        (["text=a=b"], "a=b"),
        (["text="], ""),
        (["text=null"], "null"),
        (["text=line\nbreak"], "line\nbreak"),
        (["text:=[1]"], [1]),
        (["size=5"], 5),
        (["weight=1e3"], 1000.0),
        (["weight=5"], 5),
        (["on=True"], True),
        (["maybe=null"], None),
        (["maybe=7"], 7),
        (["name=null"], "null"),
        (["colour=red"], "red"),
        (["colour=3"], 3),
        (["colour=null"], None),
        (["tags=a"], ["a"]),
        (["tags=a", "tags=b"], ["a", "b"]),
        (['tags=["a", "b"]'], ["a", "b"]),
        (['tags:=["a"]'], ["a"]),
        (["sizes=1", "sizes=2"], [1, 2]),
        (["rows=[[1, 2], [3]]"], [[1, 2], [3]]),
        (["rows=[1, 2]", "rows=[3]"], [[1, 2], [3]]),
        (["one_or_many=a"], "a"),
        (["one_or_many=a", "one_or_many=b"], ["a", "b"]),
        (['box={"a": 1}'], {"a": 1}),
        (["anything=5"], "5"),
        (["anything:=5"], 5),
        (["loop=x"], "x"),
    ],
)
def test_the_schema_says_what_a_value_is(options: list[str], value: Any) -> None:
    (found,) = built(*options).values()

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nope=1"], "no field 'nope': it has text, size"),
        (["text=a", "text=b"], "text is given 2 times"),
        (["size=five"], "size: 'five' is no integer"),
        (["size=1.5"], "is no integer"),
        (["on=1"], "is no boolean"),
        (["sizes=1", "sizes=x"], "sizes: 'x' is no integer"),
        (["sizes=[1"], "is not JSON"),
        (["box=@x.png"], "For a file: --file box=@PATH"),
        (["text:={"], "is not JSON"),
        (["text"], "neither NAME=VALUE nor NAME:=JSON"),
        (["=x"], "neither NAME=VALUE"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(options: list[str], message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        built(*options)

    assert message in str(raised.value)


@pytest.mark.parametrize("schema", [{}, {"additionalProperties": True, "properties": {"a": {}}}])
def test_a_schema_that_takes_anything_is_given_text(schema: dict[str, Any]) -> None:
    assert built("b=1", "c:=1", schema=schema) == {"b": "1", "c": 1}


def test_other_fields_may_have_a_schema() -> None:
    schema = {"additionalProperties": {"type": "integer"}}
    assert built("b=1", schema=schema) == {"b": 1}


def test_the_models_that_come_with_it() -> None:
    def of(model: Any, *options: str) -> Any:
        return built(*options, schema=model.Input.model_json_schema())

    assert of(TextEmbedding, "texts=a", "texts=b") == {"texts": ["a", "b"]}
    assert of(TextEmbedding, "texts=a") == {"texts": ["a"]}
    assert of(ZeroShotText, "text=5", "labels=x", "labels=1") == {"text": "5", "labels": ["x", "1"]}
    assert of(Digits, f"pixels={[[0] * 8] * 8}") == {"pixels": [[0] * 8] * 8}
    assert of(Echo, "value=1", "seconds=0.5", "behave=nan") == {"value": "1", "seconds": 0.5, "behave": "nan"}
    with pytest.raises(InvalidRequest, match="--file image=@PATH"):
        of(Digits, "image=x.png")


def test_files_are_named_with_or_without_an_at() -> None:
    assert parse_file("image=@a=b.png") == ("image", "a=b.png")
    assert parse_file("image=a.png") == ("image", "a.png")
    with pytest.raises(InvalidRequest):
        parse_file("image=@")


def test_fields_are_told_with_their_kinds() -> None:
    told = {name: (kinds, needed, text) for name, kinds, needed, text in fields_of(SCHEMA)}

    assert told["text"] == ("string", True, "Said.")
    assert told["maybe"] == ("integer", False, "")
    assert told["one_or_many"] == ("string or array", False, "")
