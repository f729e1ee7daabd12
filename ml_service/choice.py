"""Inputs of which exactly one field is given."""

from typing import Any, Self

from pydantic import ConfigDict, model_validator

from ml_service.model import Payload


def _say_so(schema: dict[str, Any]) -> None:
    """In JSON Schema what `_exactly_one` says in Python, so that the API turns a wrong input away at submission."""
    schema["oneOf"] = [{"required": [name]} for name in schema["properties"]]
    for field in schema["properties"].values():
        field.pop("default", None)


class OneOf(Payload):
    """Each field is `Kind | SkipJsonSchema[None]` with None as its default; the one that is given is not None."""

    model_config = ConfigDict(json_schema_extra=_say_so)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        names = list(type(self).model_fields)
        if sum(getattr(self, name) is not None for name in names) != 1:
            raise ValueError(f"give either {' or '.join(names)}")
        return self
