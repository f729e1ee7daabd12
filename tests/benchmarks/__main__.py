"""Measures this system on this machine, each figure beside its limit. docs/benchmarks.md says what they mean."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.figure import Figure
from tests.benchmarks.figures import ALL
from tests.benchmarks.machine import busy, machine
from tests.benchmarks.plot import draw
from tests.benchmarks.report import document, table
from tests.benchmarks.scale import FULL, QUICK

LOG = "parts.log"


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.list:
        for one in ALL:
            print(f"{one.name:<10}  {one.about}")
        return 0
    if warning := busy():
        print(warning, file=sys.stderr)
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "form": "quick" if given.quick else "full",
        "machine": machine(),
    }
    scale = QUICK if given.quick else FULL
    if given.rows:
        scale = replace(scale, rows=tuple(sorted({*scale.rows, given.rows})))
    given.output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="torchrelay-bench-"))
    try:
        with (given.output / LOG).open("w", encoding="utf-8") as log:
            figures = uvloop.run(_measure(given.only, Bench(scale, folder, log, _say)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(table(figures))
    _write(given.output, _name(given), figures, about)
    return 0


def _write(folder: Path, name: str, figures: Sequence[Figure], about: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_bytes(document(figures, **about))
    machine = about["machine"]
    title = f"{about['at']}, {about['form']} form, {machine['cores']} cores of {machine['processor']}"
    draw(figures, title, folder / f"{name}.svg")
    print(f"\nWritten: {folder / name}.json and .svg; what the parts said: {folder / LOG}")


def _name(given: argparse.Namespace) -> str:
    """A part does not overwrite the whole."""
    form = "quick" if given.quick else "full"
    return form if given.only is ALL else "-".join([form, *(one.name for one in given.only)])


async def _measure(benchmarks: Sequence[Benchmark], bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    for one in benchmarks:
        began = time.monotonic()
        bench.say(f"{one.name}: {one.about}")
        figures += await one.measure(bench)
        bench.say(f"{one.name}: {time.monotonic() - began:.0f} s")
    return figures


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _chosen(text: str) -> list[Benchmark]:
    known = {one.name: one for one in ALL}
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in names]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--list", action="store_true", help="say what there is to measure, and measure nothing")
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten: to see that it runs")
    parser.add_argument("--only", type=_chosen, default=ALL, metavar="A,B", help="these alone; see --list")
    parser.add_argument("--rows", type=int, metavar="N", help="a table of so many more: 10000000 takes 15 GB of disk")
    parser.add_argument(
        "--output", type=Path, default=Path(".bench"), help="folder for JSON and plot (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
