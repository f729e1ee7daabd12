"""A model's input from the command line: its JSON Schema says what `name=value` is."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.client import InvalidRequest

Schema = Mapping[str, Any]

_PAIR = re.compile(r"(?P<name>[^=]+?)(?P<sign>:?=)(?P<text>.*)", re.DOTALL)
_DEEPEST = 20  # references and alternatives within one another


@dataclass(frozen=True, slots=True)
class Given:
    """What one option gave a field: text that the schema explains, or a value that is what it is."""

    name: str
    text: str | None = None
    value: Any = None


def parse_pair(option: str) -> Given:
    """`name=text`, or `name:=JSON`. Raises InvalidRequest."""
    match = _PAIR.fullmatch(option)
    if match is None:
        raise InvalidRequest(f"{option!r} is neither NAME=VALUE nor NAME:=JSON.")
    if match["sign"] == "=":
        return Given(match["name"], match["text"])
    return Given(match["name"], value=read_json(match["text"], match["name"]))


def parse_file(option: str) -> tuple[str, str]:
    """`name=@path` or `name=path`. -> name, path. Raises InvalidRequest."""
    match = _PAIR.fullmatch(option)
    if match is None or not match["text"].removeprefix("@"):
        raise InvalidRequest(f"{option!r} is not NAME=@PATH.")
    return match["name"], match["text"].removeprefix("@")


def read_json(text: str, what: str) -> Any:
    """Raises InvalidRequest."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{what}: {text[:40]!r} is not JSON ({error}).") from error


def build_input(schema: Schema, given: Sequence[Given]) -> dict[str, Any]:
    """Raises InvalidRequest for a field that there is not, one given twice that takes one value, or a value of a wrong kind."""
    whole = _Reader(schema)
    names = list(dict.fromkeys(one.name for one in given))
    return {name: whole.value(name, [one for one in given if one.name == name]) for name in names}


def fields_of(schema: Schema) -> list[tuple[str, str, bool, str]]:
    """For help: each field's name, kinds, whether it must be given, description."""
    whole = _Reader(schema)
    return [
        (name, whole.kinds_of(field), name in schema.get("required", ()), str(field.get("description", "")))
        for name, field in whole.fields.items()
        if isinstance(field, Mapping)
    ]


class _Reader:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.fields: Mapping[str, Any] = schema.get("properties") or {}

    def value(self, name: str, given: Sequence[Given]) -> Any:
        field = self._field(name)
        branches = list(self._branches(field))
        lists = [branch for branch in branches if branch.get("type") == "array"]
        if len(given) == 1 and given[0].text is None:
            return given[0].value
        if len(given) == 1 and not (lists and not _takes(branches, "string")):
            return self._scalar(name, branches, given[0])
        if not lists:
            raise InvalidRequest(f"{name} is given {len(given)} times, but takes one value.")
        if len(given) == 1 and (given[0].text or "").lstrip().startswith("["):
            return read_json(given[0].text or "", name)
        items = list(self._branches(lists[0].get("items") or {}))
        return [self._scalar(name, items, one) for one in given]

    def kinds_of(self, field: Schema) -> str:
        kinds = [str(branch.get("type", "any")) for branch in self._branches(field)]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))

    def _field(self, name: str) -> Schema:
        """A schema without fields, or with others of any name, takes all."""
        if isinstance(found := self.fields.get(name), Mapping):
            return found
        others = self._schema.get("additionalProperties", not self.fields)
        if name in self.fields or others is True:
            return {}
        if isinstance(others, Mapping):
            return others
        raise InvalidRequest(f"The model has no field {name!r}: it has {', '.join(self.fields) or 'none'}.")

    def _scalar(self, name: str, branches: Sequence[Schema], given: Given) -> Any:
        if given.text is None:
            return given.value
        for branch in branches:
            for choice in [*branch.get("enum", ()), *([branch["const"]] if "const" in branch else [])]:
                if given.text == (choice if isinstance(choice, str) else json.dumps(choice)):
                    return choice
        kinds = {branch.get("type") for branch in branches}
        if not branches or kinds & {None, "string"}:
            return given.text
        for kind in ("integer", "number", "boolean", "null", "object", "array"):
            if kind in kinds and (read := _read(kind, given.text)) is not None:
                return read[0]
        wanted = " or ".join(sorted(str(kind) for kind in kinds))
        hint = f" For a file: --file {name}=@PATH." if "object" in kinds else ""
        raise InvalidRequest(f"{name}: {given.text[:40]!r} is no {wanted}.{hint}")

    def _branches(self, schema: Schema, depth: int = 0) -> Iterator[Schema]:
        """The alternatives that it leaves, without references."""
        if depth > _DEEPEST or not isinstance(schema, Mapping):
            return
        if isinstance(reference := schema.get("$ref"), str):
            yield from self._branches(self._referred(reference), depth + 1)
        elif "type" not in schema and (several := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")):
            for one in several:
                yield from self._branches(one, depth + 1)
        elif isinstance(kinds := schema.get("type"), list):
            yield from ({**schema, "type": kind} for kind in kinds)
        else:
            yield schema

    def _referred(self, reference: str) -> Schema:
        found: Any = self._schema
        for part in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}


def _takes(branches: Sequence[Schema], kind: str) -> bool:
    return any(branch.get("type") == kind for branch in branches)


def _read(kind: str, text: str) -> tuple[Any] | None:
    """The value, if the text is one of this kind. As JSON writes them, but that case is no matter."""
    try:
        value = json.loads(text.lower() if kind in {"boolean", "null"} else text)
    except (ValueError, RecursionError):
        return None
    fits = {
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "null": value is None,
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
    }
    return (value,) if fits[kind] else None
