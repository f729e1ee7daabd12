"""What a model class says of itself, checked: whoever wrote it reads here what to mend."""

import inspect
import json
import re
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_json

from ml_service.child.faults import invalid_input
from ml_service.model import Batching, Caps, Defaults, Model
from shared.broker.names import InvalidQueueName, Names
from shared.catalogue import ModelDescription
from shared.errors import InvalidModel
from shared.job import LONGEST, MOST_ATTEMPTS
from shared.states import Task

NAME = re.compile(r"[a-z][a-z0-9-]{2,59}")
LARGEST_VERSION = 999_999_999  # what the API reads in a path; a little less than the database counts to


def describe(model_class: type[Model]) -> ModelDescription:
    """Raises InvalidModel, whose text says what to do."""
    _check_texts(model_class)
    _check_numbers(model_class)
    _check_defaults_and_caps(model_class)
    missing = sorted(model_class.__abstractmethods__) if inspect.isabstract(model_class) else []
    if missing:
        raise _wrong(model_class, f"define {' and '.join(missing)}")
    description = ModelDescription(
        name=model_class.name,
        version=model_class.version,
        description=model_class.description,
        queue=model_class.queue or model_class.name,
        tasks=(Task.INFERENCE.value,),
        input_schema=_schema(model_class, "Input"),
        output_schema=_schema(model_class, "Output"),
        example=model_class.example,
        **asdict(model_class.defaults),
        **{f"max_{name}": most for name, most in asdict(model_class.caps).items()},
    )
    _check_example(model_class)
    return description


def _check_texts(model_class: type[Model]) -> None:
    _check_name(model_class, "name", getattr(model_class, "name", None))
    if model_class.queue is not None:
        _check_name(model_class, "queue", model_class.queue)
    try:
        Names(project="").of(model_class.queue or model_class.name)
    except InvalidQueueName as error:
        raise _wrong(model_class, f"{error} Give it another `queue`") from error
    if not isinstance(model_class.description, str):
        raise _wrong(model_class, "description must be a text")


def _check_name(model_class: type[Model], attribute: str, value: object) -> None:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        said = "is missing" if value is None else f"is {value!r}"
        raise _wrong(
            model_class,
            f"{attribute} {said}: give it 3 to 60 lower-case letters, digits and hyphens, a letter first",
        )


def _check_numbers(model_class: type[Model]) -> None:
    version = model_class.version
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= LARGEST_VERSION:
        raise _wrong(model_class, f"version is {version!r}: give it a whole number from 1 to {LARGEST_VERSION}")
    batching = model_class.batching
    if not isinstance(batching, Batching) or batching.max_size < 1 or batching.max_wait < 0:
        raise _wrong(model_class, "batching must be a Batching with max_size of at least 1 and max_wait not negative")


def _check_defaults_and_caps(model_class: type[Model]) -> None:
    if not isinstance(model_class.defaults, Defaults):
        raise _wrong(model_class, "defaults must be a Defaults")
    if not isinstance(model_class.caps, Caps):
        raise _wrong(model_class, "caps must be a Caps")
    defaults, caps = asdict(model_class.defaults), asdict(model_class.caps)
    for attribute, values in (("defaults", defaults), ("caps", caps)):
        for name, value in values.items():
            if value is not None:
                check = _check_attempts if name == "max_attempts" else _check_seconds
                check(model_class, f"{attribute}.{name}", value)
    for name, most in caps.items():
        if most is not None and defaults[name] is not None and defaults[name] > most:
            raise _wrong(
                model_class,
                f"defaults.{name} is {defaults[name]!r}, but caps.{name} is {most!r}: a default must be within its cap",
            )


def _check_seconds(model_class: type[Model], what: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= LONGEST:  # NaN is not, either
        raise _wrong(model_class, f"{what} is {value!r}: give it a number of seconds above 0, {LONGEST:.0f} at most")


def _check_attempts(model_class: type[Model], what: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_ATTEMPTS:
        raise _wrong(model_class, f"{what} is {value!r}: give it a whole number from 1 to {MOST_ATTEMPTS}")


def _schema(model_class: type[Model], attribute: str) -> dict[str, Any]:
    payload = getattr(model_class, attribute, None)
    if not isinstance(payload, type) or not issubclass(payload, BaseModel):
        raise _wrong(model_class, f"define {attribute} as a pydantic model: class {attribute}(Payload)")
    try:
        schema = payload.model_json_schema(mode="validation" if attribute == "Input" else "serialization")
        json.dumps(schema, allow_nan=False)
    except (PydanticUserError, TypeError, ValueError) as error:
        raise _wrong(model_class, f"{attribute} has no JSON Schema: {error}") from error
    return schema


def _check_example(model_class: type[Model]) -> None:
    if model_class.example is None:
        return
    try:
        model_class.Input.model_validate_json(to_json(model_class.example, inf_nan_mode="constants"))
    except ValidationError as error:
        raise _wrong(model_class, f"the example does not fit Input: {invalid_input(error).message}") from error
    except ValueError as error:
        raise _wrong(model_class, f"the example is not JSON: {error}") from error


def _wrong(model_class: type[Model], what: str) -> InvalidModel:
    return InvalidModel(f"{model_class.__qualname__}: {what}")
