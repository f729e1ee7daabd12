"""Waiting for signs that something happened, instead of for time to pass."""

import asyncio
import time
from collections.abc import Callable

import psutil

PATIENCE = 20.0  # seconds


async def until(sign: Callable[[], bool]) -> None:
    """Returns when it shows; TimeoutError if it does not."""
    async with asyncio.timeout(PATIENCE):
        while not sign():
            await asyncio.sleep(0.01)


def wait_until(sign: Callable[[], bool]) -> None:
    """The same for tests that have no loop."""
    deadline = time.monotonic() + PATIENCE
    while not sign():
        assert time.monotonic() < deadline, "no sign of it"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether no such process runs; one that nobody has waited for yet has ended all the same."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
