"""What people and programs are shown: results on stdout, everything said about them on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

WIDE = 200  # characters; what is piped is not broken for a screen

Cell = str | int | float | None


def out() -> Console:
    return _console(stderr=False)


def err() -> Console:
    return _console(stderr=True)


def say(text: str) -> None:
    """A sentence on stderr."""
    err().print(clean(text), soft_wrap=True)


def write(text: str) -> None:
    """A line on stdout, to the letter."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def write_json(value: Any) -> None:
    """One document on one line, for programs. Its fields are those of the API."""
    write(json.dumps(msgspec.to_builtins(value), ensure_ascii=False))


def show_json(value: Any) -> None:
    """For people, who may still pipe it somewhere: indented on a terminal, else on one line."""
    if sys.stdout.isatty():
        out().print_json(json.dumps(value, ensure_ascii=True), ensure_ascii=False)
    else:
        write_json(value)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], empty: str) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    if table.row_count:
        out().print(table)
    else:
        say(empty)


def show_fields(fields: Iterable[tuple[str, Cell]]) -> None:
    """One under the other, without those that have no value."""
    grid = Table.grid(padding=(0, 2))
    for name, value in fields:
        if value is not None and value != "":
            grid.add_row(name, _text(value))
    out().print(grid)


def ago(time: datetime | None) -> str:
    return "" if time is None else f"{lasting(datetime.now(UTC) - time)} ago"


def lasting(time: timedelta) -> str:
    seconds = max(0.0, time.total_seconds())
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def clean(text: str) -> str:
    """Without what a terminal would obey: others write the texts of errors and logs."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _text(cell: Cell) -> str:
    return "" if cell is None else clean(str(cell))


def _console(*, stderr: bool) -> Console:
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=None if terminal else WIDE)
