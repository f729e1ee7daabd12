"""The figures, as a table for people and as JSON for everything else."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tests.benchmarks.figure import Aim, Figure, Of
from tests.benchmarks.samples import Samples

_HEADINGS = ("figure", "measured", "limit", "ratio", "aim", "", "best other", "spread")


def table(figures: Sequence[Figure]) -> str:
    rows = [_HEADINGS, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(_aligned(column, cell, width) for column, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def document(figures: Sequence[Figure], **about: Any) -> bytes:
    """about: machine, form and the like."""
    return msgspec.json.format(
        msgspec.json.encode({**about, "figures": [_described(one) for one in figures]}), indent=2
    )


def number(value: float) -> str:
    """Three significant digits, thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def aim_text(aim: Aim | None, unit: str) -> str:
    if aim is None:
        return ""
    sign = "≤" if aim.at_most else "≥"
    return f"{sign} {aim.value:g}" if aim.of is Of.RATIO else f"{sign} {aim.value:,g} {unit}"


def _row(figure: Figure) -> tuple[str, ...]:
    ratio = figure.ratio
    judged = ratio if ratio is not None and figure.aim is not None and figure.aim.of is Of.RATIO else figure.measured
    return (
        figure.name,
        f"{number(figure.measured.median)} {figure.unit}",
        "" if figure.limit is None else f"{number(figure.limit.median)} {figure.unit}",
        "" if ratio is None else number(ratio.median),
        aim_text(figure.aim, figure.unit),
        {None: "", True: "met", False: "MISSED"}[figure.met],
        figure.reference,
        f"{number(judged.low)} - {number(judged.high)}",
    )


def _aligned(column: int, cell: str, width: int) -> str:
    return cell.rjust(width) if column in {1, 2, 3} else cell.ljust(width)


def _described(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        "measured": _samples(figure.measured),
        "limit": _samples(figure.limit),
        "limit_is": figure.limit_is,
        "ratio": _samples(figure.ratio),
        "aim": aim_text(figure.aim, figure.unit),
        "met": figure.met,
        "reference": figure.reference,
        "details": figure.details,
    }


def _samples(samples: Samples | None) -> dict[str, Any] | None:
    if samples is None:
        return None
    return {
        "median": samples.median,
        "low": samples.low,
        "high": samples.high,
        "spread": samples.spread,
        "rounds": samples.values,
    }
