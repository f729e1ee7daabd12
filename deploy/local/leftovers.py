"""Processes that a launcher started and could not end, because it was killed itself and nothing else ended them."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil


class Leftovers:
    """A file that names the processes that run. Numbers are given out again, so each goes with its start time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._running: dict[int, float] = {}

    def note(self, pid: int) -> None:
        with suppress(psutil.NoSuchProcess):
            self._running[pid] = psutil.Process(pid).create_time()
        self._write()

    def forget(self, pid: int) -> None:
        self._running.pop(pid, None)
        self._write()

    def end(self) -> None:
        """Kills what the last launcher left, with all that those have started."""
        try:
            noted = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return
        for pid, created in noted.items():
            with suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
                if psutil.Process(int(pid)).create_time() == created:
                    os.killpg(int(pid), signal.SIGKILL)
        self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        half = self._file.with_suffix(".new")
        half.write_text(json.dumps(self._running))
        half.replace(self._file)
