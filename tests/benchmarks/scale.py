"""How much is measured: the full form, and the quick one that CI runs to see that it runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    rounds: int  # of everything; the table shows medians
    seconds: float  # of load, in each round and on each side
    drained: int  # jobs of a drain
    slow_jobs: int  # of the model that takes 5 ms for each
    latencies: int  # jobs of a round that are waited for one by one
    rows: tuple[int, ...]  # of the table while its statements are timed
    statements: int  # of each kind in a round
    waiting: int  # clients that wait at once
    waiting_seconds: float  # for which jobs complete at a steady rate


FULL = Scale(
    rounds=3,
    seconds=3.0,
    drained=5000,
    slow_jobs=1600,
    latencies=100,
    rows=(10_000, 100_000, 1_000_000),
    statements=100,
    waiting=2000,
    waiting_seconds=10.0,
)
QUICK = Scale(
    rounds=1,
    seconds=0.5,
    drained=640,
    slow_jobs=160,
    latencies=10,
    rows=(10_000, 50_000),
    statements=20,
    waiting=500,
    waiting_seconds=2.0,
)
