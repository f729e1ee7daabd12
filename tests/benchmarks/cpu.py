"""How much of a core each part of the system takes while something is measured: what a gap is made of begins here."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

Pids = Mapping[str, Sequence[int]]  # by part


@dataclass(slots=True)
class Cpu:
    """shares: cores that each part took on average, once it is over."""

    shares: dict[str, float] = field(default_factory=dict)


@contextmanager
def cpu_of(parts: Pids) -> Iterator[Cpu]:
    """What begins or ends meanwhile is not counted: a backend of Postgres lives as long as its connection."""
    cpu = Cpu()
    began, before = time.perf_counter(), {name: _seconds(pids) for name, pids in parts.items()}
    yield cpu
    took = time.perf_counter() - began
    for name, pids in parts.items():
        after = _seconds(pids)
        cpu.shares[name] = round(sum(after[pid] - before[name].get(pid, after[pid]) for pid in after) / took, 3)


def _seconds(pids: Sequence[int]) -> dict[int, float]:
    seconds: dict[int, float] = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            seconds[pid] = times.user + times.system
    return seconds
