"""A job's events as lines to read."""

from collections.abc import Mapping
from typing import Any

from deploy.client import Event
from deploy.command.output import clean

_INDENT = "\n" + " " * 19  # under what stands after the time and the type


def line_of(event: Event) -> str:
    at = event.at.astimezone().strftime("%H:%M:%S") if event.at else ""
    return f"{at:8} {event.type:<9} {clean(_told(event)).replace(chr(10), _INDENT)}".rstrip()


def _told(event: Event) -> str:
    """What newer servers have to say, or otherwise, is told as it is."""
    match event.type, event.data:
        case "state", {"state": str(state), "attempt": int(attempt)}:
            return f"{state} (attempt {attempt})" if attempt > 1 else state
        case "progress", {"fraction": int() | float() as fraction, **rest}:
            return f"{fraction:4.0%} {rest.get('message') or ''}"
        case "log", {"level": str(level), "message": str(message)}:
            return message if level == "info" else f"{level}: {message}"
        case "metrics", {"values": dict(values), **rest}:
            step = rest.get("step")
            return f"{'' if step is None else f'step {step}: '}{_pairs(values)}"
        case _, dict(data):
            return _pairs(data)
        case _, data:
            return str(data)


def _pairs(values: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items() if value is not None)
