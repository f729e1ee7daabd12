"""What memory the processes of a system take."""

from dataclasses import dataclass

import psutil

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process or several, in megabytes. pss: pages that several share are counted once; as rss where unknown."""

    rss: float
    pss: float

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.rss + other.rss, self.pss + other.pss)


def memory_of(pid: int) -> Memory:
    """This process alone."""
    full = psutil.Process(pid).memory_full_info()
    return Memory(full.rss / MEGABYTE, getattr(full, "pss", full.rss) / MEGABYTE)


def children_of(pid: int) -> list[int]:
    """With theirs."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def memory_of_tree(pid: int) -> Memory:
    return sum((memory_of(child) for child in children_of(pid)), memory_of(pid))
