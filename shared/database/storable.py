"""What others said, as Postgres can hold it.

NUL and halves of surrogate pairs are fine in a Python string, and an error in any `text` or `jsonb`. U+FFFD stands where one was:
an odd message of one model must not keep a batch from being settled, nor cost a worker its heartbeat.
"""

import json
import re
from typing import Any

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


def storable(said: str) -> str:
    return _NOT_STORABLE.sub("\ufffd", said)


def storable_json(value: Any) -> str:
    """A document for a column of jsonb; what JSON has no type for becomes its text."""
    return json.dumps(_mended(value), default=str)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    return value
