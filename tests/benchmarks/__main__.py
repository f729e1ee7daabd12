"""Measures this system on this machine, each figure beside its limit. docs/benchmarks.md says what they mean."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from deploy.local.brokers import choose
from deploy.local.errors import CannotStart
from deploy.local.ports import free_port
from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.figure import Figure
from tests.benchmarks.figures import ALL
from tests.benchmarks.machine import busy, machine
from tests.benchmarks.plot import draw
from tests.benchmarks.report import document, table
from tests.benchmarks.runner import Run, measure
from tests.benchmarks.scale import FULL, QUICK, Scale

LOG = "parts.log"


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.list:
        for one in ALL:
            print(f"{one.name:<10}  {one.about}")
        return 0
    try:
        about = _about(given)
    except CannotStart as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if warning := busy():
        print(warning, file=sys.stderr)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as at Ctrl-C: with nothing left behind
    run = _measured(given)
    if run.figures:
        print(table(run.figures))
        _write(given.output, _name(given), run.figures, about)
    if run.failed:
        print(f"Did not run: {', '.join(run.failed)}", file=sys.stderr)
    return 1 if run.failed else 0


def _measured(given: argparse.Namespace) -> Run:
    given.output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="torchrelay-bench-"))
    try:
        with (given.output / LOG).open("w", encoding="utf-8") as log:
            return uvloop.run(measure(given.only, Bench(_scale(given), folder, log, _say, given.broker)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, name: str, figures: Sequence[Figure], about: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_bytes(document(figures, **about))
    machine = about["machine"]
    title = f"{about['at']}, {about['form']} form, {machine['cores']} cores of {machine['processor']}"
    draw(figures, title, folder / f"{name}.svg")
    print(f"\nWritten: {folder / name}.json and .svg; what the parts said: {folder / LOG}")


def _about(given: argparse.Namespace) -> dict[str, Any]:
    """Raises CannotStart where there is no such broker."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "form": _form(given),
        "broker": choose(given.broker, free_port)[1],
        "machine": machine(),
    }


def _scale(given: argparse.Namespace) -> Scale:
    scale = QUICK if given.quick else FULL
    return replace(scale, rows=tuple(sorted({*scale.rows, given.rows}))) if given.rows else scale


def _name(given: argparse.Namespace) -> str:
    """Of the files: a part does not overwrite the whole."""
    return _form(given) if given.only is ALL else "-".join([_form(given), *(one.name for one in given.only)])


def _form(given: argparse.Namespace) -> str:
    return "quick" if given.quick else "full"


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
    parser.add_argument("--quick", action="store_true", help="one small round of each: to see that it runs")
    parser.add_argument("--only", type=_chosen, default=ALL, metavar="A,B", help="these alone; see --list")
    parser.add_argument("--broker", metavar="official|embedded|HOST:PORT", help="as `make run` has it")
    parser.add_argument("--rows", type=int, metavar="N", help="a table of so many more: 10000000 takes 15 GB of disk")
    parser.add_argument(
        "--output", type=Path, default=Path(".bench"), help="folder for JSON and plot (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
