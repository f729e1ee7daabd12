"""Breaks the system for a while, and holds it against its promises. docs/reliability.md says what they are."""

import argparse
import random
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from deploy.local.brokers import EMBEDDED, choose
from deploy.local.errors import CannotStart
from deploy.local.ports import free_port
from tests.benchmarks.machine import machine
from tests.benchmarks.rig import Log
from tests.chaos.plot import draw
from tests.chaos.report import document, text
from tests.chaos.run import Outcome, Plan, run

LOG = "parts.log"
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    plan = Plan(
        duration=given.duration, seed=given.seed, rate=given.rate, every=given.faults_every, broker=given.broker
    )
    try:
        broker = choose(given.broker, free_port)[1]
        about = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "broker": broker}
        _say(f"seed {plan.seed}, {plan.duration:g} s, {broker}")
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as at Ctrl-C: with nothing left behind
        outcome = _outcome(plan, given.output)
    except CannotStart as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _write(given.output, outcome, about)
    return 0 if outcome.good else 1


def _outcome(plan: Plan, output: Path) -> Outcome:
    output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="torchrelay-chaos-"))
    folder.chmod(0o711)  # Postgres runs as another user where we are root
    try:
        with (output / LOG).open("w", encoding="utf-8") as log:
            return uvloop.run(run(plan, folder, Log(log), _say))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, outcome: Outcome, about: Mapping[str, object]) -> None:
    here = about["machine"]
    assert isinstance(here, dict)
    shown = {
        "commit": here["commit"],
        "broker": str(about["broker"]).removeprefix("broker: "),
        "machine": f"{here['cores']} cores of {here['processor']}",
    }
    table = text(outcome, **shown)
    print(table)
    (folder / "report.md").write_text(table, encoding="utf-8")
    (folder / "report.json").write_bytes(document(outcome, **about))
    title = f"{about['at']}, {outcome.plan.duration:g} s, seed {outcome.plan.seed}, commit {here['commit']}"
    draw(outcome, title, folder / "report.svg")
    print(f"Written: {folder}/report.md, .json and .svg; what the parts said: {folder / LOG}")
    print("All promises were kept." if outcome.good else "NOT all promises were kept.")


def _say(words: str) -> None:
    print(f"  {words}", file=sys.stderr, flush=True)


def _seconds(words: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", words)
    if found is None:
        raise argparse.ArgumentTypeError(f"{words!r} is no time: 90, 90s, 30m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--duration", type=_seconds, default=120.0, help="of the faults: 90, 30m, 1h (default: 120)")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10_000), help="what chance begins with (default: any)"
    )
    parser.add_argument("--rate", type=float, default=Plan.rate, help="jobs a second (default: %(default)g)")
    parser.add_argument(
        "--faults-every", type=float, default=Plan.every, metavar="SECONDS", help="on average (default: %(default)g)"
    )
    parser.add_argument(
        "--broker",
        default=EMBEDDED,
        metavar="official|embedded",
        help="the stand-in, which misbehaves as told, or Google's emulator (default: %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path(".chaos"), help="folder for report, plot and log (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
