"""Ends the process if its event loop does not turn any more: its lease is over by then, and another one can begin.

What could end it in good order hangs on that very loop. A process that was frozen as a whole is let be when it thaws: this
thread was frozen with it (rule 6: it begins a new life by itself).
"""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Callable

STUCK = 71  # exit status; sysexits.h: the system's fault
LOOKS = 10  # within the time that the loop may stand still
LAST_WORDS = 1.0  # seconds
_STDERR = 2  # its file descriptor


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
    """The words have a thread of their own: it may be that nobody reads them, and that this is what the loop hangs on."""
    try:
        words = threading.Thread(target=_say_where, daemon=True)
        words.start()
        words.join(LAST_WORDS)
    finally:
        os._exit(STUCK)


def _say_where() -> None:
    """Not by `faulthandler`, which holds the GIL while it writes, nor to `sys.stderr`, whose lock others may hold."""
    said = ["the worker's event loop has not turned for too long: ending the process\n"]
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():  # noqa: SLF001 - documented, for just this
        said += [f"\nThread {names.get(ident, ident)} (most recent call last):\n", *traceback.format_stack(frame)]
    os.write(_STDERR, "".join(said).encode(errors="backslashreplace"))
