"""Ends the process if its event loop does not turn any more: its lease is over by then, and another one can begin.

What could end it in good order hangs on that very loop. A process that was frozen as a whole is let be when it thaws: this
thread was frozen with it (rule 6: it begins a new life by itself).
"""

import asyncio
import faulthandler
import os
import sys
import threading
from collections.abc import Callable

STUCK = 71  # exit status; sysexits.h: the system's fault
LOOKS = 10  # within the time that the loop may stand still


class Watchdog:
    """patience: seconds that the loop may stand still. end: what then happens, called in the watching thread."""

    def __init__(self, patience: float, end: Callable[[], None] | None = None) -> None:
        self._interval = patience / LOOKS
        self._end = end or _end
        self._stopped = threading.Event()
        self._turned = True  # since the last look
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Watches the running loop."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        missed = 0
        while not self._stopped.wait(self._interval):
            missed = 0 if self._turned else missed + 1
            if missed >= LOOKS:
                self._end()
                return
            self._turned = False
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._note_turn)

    def _note_turn(self) -> None:
        self._turned = True


def _end() -> None:
    sys.stderr.write("the worker's event loop has not turned for too long: ending the process\n")
    faulthandler.dump_traceback(all_threads=True)
    os._exit(STUCK)
