"""A child never outlives its parent, and what ends it early the parent decides."""

import ctypes
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

# Exit statuses.
PARENT_GONE = 0  # nobody is left to read it
COPY = 1  # of one that came back, as of any program that is left by an exception
DEVICE_LOST = 70  # the device failed in a way that only a new process gets over; sysexits.h: internal error

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# What it takes for the kernel to look for memory here first: its scale ends at 1000, and counts thousandths of all memory.
_OOM_SCORE_MORE, _OOM_SCORE_MOST = 300, 1000


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process with its parent (process id `parent`).

    The closed pipe says so too, but takes a thread that gets the GIL to notice it, and model code may hold that for
    minutes. Only Linux has this; elsewhere such a child ends when it lets go of the GIL.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    # The parent may have died before the call above: then this process has another parent by now.
    if os.getppid() != parent:
        os._exit(PARENT_GONE)


def die_before_parent() -> None:
    """Where the machine, or the container, runs out of memory: the parent holds the leases of every model's jobs."""
    score = Path("/proc/self/oom_score_adj")
    with suppress(OSError, ValueError):
        score.write_text(str(min(_OOM_SCORE_MOST, int(score.read_text()) + _OOM_SCORE_MORE)))


def leave_signals_to_parent() -> None:
    """A SIGTERM or Ctrl-C may reach every process there is; what it means for running jobs the parent decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def end_copy(process: int, error: BaseException | None = None) -> None:
    """Where this is no more `process`, but a copy that the model has forked: it has left the model's code, by `error` or
    not, and would go on to speak in the other's stead.
    """
    if os.getpid() != process:
        logger.warning(
            "a forked copy of %d has left the model's code: it ends here, as by os._exit", process, exc_info=error
        )
        os._exit(_status(error))


def _status(error: BaseException | None) -> int:
    """What whoever forked it is told."""
    match error:
        case SystemExit(code=None):
            return 0
        case SystemExit(code=int() as code):
            return code
        case _:
            return COPY
