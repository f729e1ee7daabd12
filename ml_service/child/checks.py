"""What a model may say of its jobs, made fit for a row; errors are raised in the model's own code, where they can be mended."""

import math
import operator
from collections.abc import Mapping
from typing import SupportsFloat, SupportsIndex, get_args

from ml_service.child.faults import clean
from ml_service.child.messages import Log, Metrics
from ml_service.model import Level

LEVELS = frozenset(get_args(Level))
# One event is a row, and one object in an answer of many: what has more to tell has a result for it.
MAX_METRICS = 32
MAX_NAME = 64  # characters
MAX_INTEGER = 2**53 - 1  # beyond it JSON's readers round


def check_level(level: str) -> None:
    if level not in LEVELS:
        raise ValueError(f"level is one of debug, info, warning, error, not {level!r}")


def log_of(message: object, level: str) -> Log:
    """Of a level that has been checked."""
    return Log(level, clean(str(message)))


def metrics_of(values: Mapping[str, SupportsFloat], step: SupportsIndex | None) -> Metrics:
    """Raises TypeError, ValueError."""
    if not isinstance(values, Mapping):
        raise TypeError(f"metrics are a mapping of names to numbers, not {type(values).__name__}")
    if not 1 <= len(values) <= MAX_METRICS:
        raise ValueError(f"1 to {MAX_METRICS} metrics at once, not {len(values)}")
    return Metrics({_name(name): _number(name, value) for name, value in values.items()}, _step(step))


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a metric's name is a string, not {type(name).__name__}")
    if not 1 <= len(name) <= MAX_NAME or clean(name) != name:
        raise ValueError(f"a metric's name has 1 to {MAX_NAME} characters of valid Unicode, not {name[:MAX_NAME]!r}")
    return name


def _number(name: str, value: SupportsFloat) -> int | float:
    """Whatever is a number, also an array or tensor of one."""
    if type(value) is int and abs(value) <= MAX_INTEGER:
        return value
    if not hasattr(value, "__float__"):
        raise TypeError(f"the metric {name!r} is a number, not {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"the metric {name!r} is {number}: only finite numbers can be told")
    return number


def _step(step: SupportsIndex | None) -> int | None:
    if step is None:
        return None
    number = operator.index(step)
    if not 0 <= number <= MAX_INTEGER:
        raise ValueError(f"a step is between 0 and {MAX_INTEGER}, not {number}")
    return number
