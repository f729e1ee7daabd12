"""How long it takes from a worker's death until what it held is on its way again: published, claimed, or ended."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from tests.chaos.truth import Truth

LOOK_EVERY = 0.2  # seconds
FORGOTTEN_AFTER = 120.0  # seconds

_HELD = """SELECT jobs.id, jobs.attempt FROM jobs JOIN workers ON workers.id = jobs.worker
WHERE workers.name LIKE '%:' || $1::text"""
# Published again, or claimed by another, or over.
_ON_ITS_WAY = """SELECT jobs.id FROM jobs JOIN unnest($1::uuid[], $2::int[]) AS victim (id, attempt) ON victim.id = jobs.id
WHERE jobs.attempt > victim.attempt OR jobs.finished_at IS NOT NULL OR (jobs.state = 'queued' AND jobs.published_at IS NOT NULL)"""


@dataclass(slots=True)
class Recovery:
    """seconds: of each job that the victim held. left: those that had not recovered when it was last looked."""

    kind: str
    undisturbed: bool  # nothing else was broken meanwhile that could hold it up
    seconds: list[float] = field(default_factory=list)
    left: int = 0


async def held_by(truth: Truth, pid: int) -> list[tuple[object, int]]:
    """To be asked while the victim cannot move: before it is thawed, after it is killed."""
    return [(row["id"], row["attempt"]) for row in await truth.fetch(_HELD, str(pid))]


async def watch(truth: Truth, victims: Sequence[tuple[object, int]], since: float, recovery: Recovery) -> None:
    """Until all are on their way. since: by time.monotonic()."""
    waiting = dict(victims)
    recovery.left = len(waiting)
    while waiting and time.monotonic() - since < FORGOTTEN_AFTER:
        for row in await truth.fetch(_ON_ITS_WAY, list(waiting), list(waiting.values())):
            del waiting[row["id"]]
            recovery.seconds.append(time.monotonic() - since)
        recovery.left = len(waiting)
        await asyncio.sleep(LOOK_EVERY)


def percentiles(seconds: Sequence[float]) -> tuple[float, float] | None:
    """p50 and p99."""
    if not seconds:
        return None
    if len(seconds) == 1:
        return seconds[0], seconds[0]
    cuts = quantiles(seconds, n=100, method="inclusive")
    return cuts[49], cuts[98]
