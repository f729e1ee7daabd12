"""A model's outputs on their way to JSON text: counted, typed, and free of NaN and infinity."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from pydantic import BaseModel

# While it is taken in, the parent has a result three times, and the child its values besides: within the 4 GB that a worker
# has in docker-compose.yml.
RESULT_LIMIT = 256 * 1024 * 1024  # bytes

_SUSPECT = (b"NaN", b"Infinity", b"null")


class BadOutput(Exception):
    """Not what `predict` promises to return."""


def counted(outputs: Any, expected: int) -> Sequence[Any]:
    """`outputs`, if it is a sequence of that length. Raises BadOutput."""
    if not isinstance(outputs, Sequence) or isinstance(outputs, str | bytes):
        raise BadOutput(f"predict returned {type(outputs).__name__}: a list is wanted, with an Output for each Input")
    if len(outputs) != expected:
        raise BadOutput(f"predict returned {len(outputs)} outputs for {expected} inputs")
    return outputs


def dumped(output: Any, wanted: type[BaseModel], limit: int = RESULT_LIMIT) -> bytes:
    """The output's JSON text. Raises BadOutput, or what pydantic finds wrong with values that skipped validation."""
    if not isinstance(output, wanted):
        raise BadOutput(f"predict returned {type(output).__name__} where {wanted.__qualname__} is wanted")
    text = output.model_dump_json(warnings="error").encode()
    if len(text) > limit:
        raise BadOutput(f"the result has {len(text)} bytes, and may have {limit} (RESULT_LIMIT)")
    # JSON has no such number. A model class that does not derive from Payload would turn it into null, silently; so
    # the values are looked at, but only where the text allows that there is one: a result may have millions of them.
    if any(sign in text for sign in _SUSPECT) and not _finite(output.model_dump(mode="json")):
        raise BadOutput("the output holds NaN or infinity")
    return text


def _finite(value: Any) -> bool:
    """value: as JSON has it, so that there are no other containers than these."""
    match value:
        case float():
            return isfinite(value)
        case dict():
            return all(map(_finite, value.values()))
        case list():
            return all(map(_finite, value))
        case _:
            return True
