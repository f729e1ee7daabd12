"""Statements: written once in SQLAlchemy Core, compiled once to text, run on asyncpg directly.

Constants that a partial index's condition is matched against must stand in the text, not in a parameter: use `constant`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Interval, Text, bindparam, func, literal_column
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

_DIALECT = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


class Statement:
    """A named, compiled statement. Called with its parameters' values it gives asyncpg's positional arguments."""

    def __init__(self, name: str, source: ClauseElement) -> None:
        compiled = source.compile(dialect=_DIALECT)
        assert isinstance(compiled, SQLCompiler)
        self.name = name
        self.sql = f"/* {name} */ {compiled}"
        self._order: Sequence[str] = compiled.positiontup or ()
        self._defaults: Mapping[str, Any] = compiled.params
        self._required = {name for name, parameter in compiled.binds.items() if parameter.required}

    def __repr__(self) -> str:
        return f"Statement({self.name})"

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        unknown = values.keys() - set(self._order)
        if unknown:
            raise TypeError(f"{self.name} has no parameter {', '.join(sorted(unknown))}")
        missing = self._required - values.keys()
        if missing:
            raise TypeError(f"{self.name} needs {', '.join(sorted(missing))}")
        return [values[name] if name in values else self._defaults[name] for name in self._order]


def constant(value: str) -> ColumnElement[str]:
    """A text constant of our own (an enum's value), written into the statement."""
    return literal_column(f"'{value}'", Text)


def each(name: str, kind: type[TypeEngine[Any]] | TypeEngine[Any]) -> BindParameter[Any]:
    """A parameter that is an array of `kind`."""
    return bindparam(name, type_=ARRAY(kind))


def seconds(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A number of seconds as an interval."""
    return value * literal_column("interval '1 second'", Interval)


def clock() -> ColumnElement[Any]:
    """The time right now, also after waiting for a lock; `now()` is the statement's beginning and can use an index."""
    return func.clock_timestamp()
