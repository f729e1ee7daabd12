"""Whether an input fits its model's JSON Schema, and if not, where; and which uploads it refers to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

import jsonschema_rs
import msgspec

from api_service.errors import MalformedBody
from shared.catalogue import JsonSchema
from shared.errors import Fault, InvalidModel
from shared.states import Task
from shared.uploads import REFERENCE_FORMAT

MAX_FAULTS = 20  # a client mends the first few; ten thousand are no help
MAX_MESSAGE = 300  # characters; the validator quotes what it complains of

Key = tuple[str, int, Task]


class _Validator(Protocol):
    def is_valid(self, instance: Any) -> bool: ...
    def iter_errors(self, instance: Any) -> Any: ...
    def evaluate(self, instance: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """references: what the input says where the schema has an upload's id, by its place (a JSON Pointer)."""

    faults: list[Fault] = field(default_factory=list)
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Compiled:
    schema: JsonSchema
    validator: _Validator
    refers: bool  # whether it has uploads at all: others need not pay for the search


class SchemaCheck:
    """Compiles each schema once, and again when a model comes with another one."""

    def __init__(self) -> None:
        self._compiled: dict[Key, _Compiled] = {}

    def check(self, key: Key, schema: JsonSchema, document: bytes) -> Checked:
        """document: JSON. Paths are JSON Pointers into it, at most MAX_FAULTS. Raises MalformedBody or InvalidModel."""
        try:
            instance = msgspec.json.decode(document)
        except msgspec.ValidationError as error:  # a number that no float can hold
            return Checked([Fault("", str(error))])
        except RecursionError:
            raise MalformedBody("The input is nested too deeply.") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedBody(f"{error}.") from None
        compiled = self._compiled_for(key, schema)
        try:
            if compiled.validator.is_valid(instance):
                return Checked(references=_references(compiled.validator, instance) if compiled.refers else {})
            errors = islice(compiled.validator.iter_errors(instance), MAX_FAULTS)
            return Checked([Fault(pointer(error.instance_path), _shortened(error.message)) for error in errors])
        except (ValueError, RecursionError):  # the validator's own limit of depth
            raise MalformedBody("The input is nested too deeply.") from None

    def _compiled_for(self, key: Key, schema: JsonSchema) -> _Compiled:
        known = self._compiled.get(key)
        if known is None or (known.schema is not schema and known.schema != schema):
            refers = f'"{REFERENCE_FORMAT}"'.encode() in msgspec.json.encode(schema)
            known = _Compiled(schema, _compile(key, schema), refers)
        elif known.schema is not schema:  # the same, read anew: the next comparison is by identity again
            known = _Compiled(schema, known.validator, known.refers)
        self._compiled[key] = known
        return known


def pointer(path: list[str | int]) -> str:
    """RFC 6901."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _references(validator: _Validator, instance: Any) -> dict[str, str]:
    """`format` is an annotation (JSON Schema 2020-12, section 7.7.1): of each alternative that fits, and of no other."""
    return {
        place: value
        for annotation in validator.evaluate(instance).annotations()
        if annotation["annotations"] == REFERENCE_FORMAT and annotation["schemaLocation"].endswith("/format")
        if isinstance(value := _at(instance, place := annotation["instanceLocation"]), str)
    }


def _at(instance: Any, place: str) -> Any:
    for part in place.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        instance = instance[int(name)] if isinstance(instance, list) else instance[name]
    return instance


def _compile(key: Key, schema: Mapping[str, Any]) -> _Validator:
    try:
        # Offline: a schema is data of whoever registered the model, and must not make this process fetch anything.
        validator: _Validator = jsonschema_rs.validator_for(dict(schema), offline=True)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise InvalidModel(f"the schema of {key[0]!r} version {key[1]} cannot be used: {error}") from error
    return validator


def _shortened(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
