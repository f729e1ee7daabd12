"""Runs the benchmarks one after the other. One that does not run costs its own figures, and the exit status."""

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.figure import Figure


@dataclass(slots=True)
class Run:
    figures: list[Figure] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # names of the benchmarks that did not run


async def measure(benchmarks: Sequence[Benchmark], bench: Bench) -> Run:
    run = Run()
    for one in benchmarks:
        began = time.monotonic()
        bench.say(f"{one.name}: {one.about}")
        try:
            run.figures += await one.measure(bench)
        except Exception:  # noqa: BLE001 - whatever it is, the others are still worth having
            bench.say(traceback.format_exc())
            run.failed.append(one.name)
        bench.say(f"{one.name}: {time.monotonic() - began:.0f} s")
    return run
