"""A child's process and those that the model has started: who they are, and how much memory they hold.

From Linux's /proc: elsewhere nobody is found, and nothing is measured.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class _Process(NamedTuple):
    pid: int
    parent: int
    group: int
    session: int


def family(leader: int) -> set[int]:
    """The process ids of `leader`, of all in its group or session, and of all their descendants.

    A process that began a session of its own is found as long as those live through whom it descends.
    """
    processes = list(_processes())
    found = {one.pid for one in processes if leader in (one.pid, one.group, one.session)}
    grown = True
    while grown:
        heirs = {one.pid for one in processes if one.parent in found} - found
        found |= heirs
        grown = bool(heirs)
    return found


def resident(pid: int) -> int:
    """Bytes in memory, those included that it shares with others; 0 if it is gone."""
    with suppress(OSError, ValueError, IndexError):
        return int((PROC / str(pid) / "statm").read_bytes().split()[1]) * _PAGE
    return 0


def proportional(pid: int) -> int:
    """Bytes in memory, of what is shared only its part: exact for a family, but the kernel has to count for it."""
    with suppress(OSError, ValueError, IndexError):
        for line in (PROC / str(pid) / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return resident(pid)


def _processes() -> Iterator[_Process]:
    if not PROC.is_dir():
        return
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError):  # gone in between
                # pid (name) state ppid pgrp session …: the name may hold anything, also ")".
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                yield _Process(int(entry.name), *(int(field) for field in fields[1:4]))
