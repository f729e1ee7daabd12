"""A loop that does not turn ends its process, a process that was frozen goes on."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ml_service.worker.watchdog import STUCK, Watchdog

PROGRAM = """
import asyncio, os, sys, time
from ml_service.worker.watchdog import Watchdog

async def main():
    Watchdog(0.5).start()
    print("begun", flush=True)
    {then}

asyncio.run(main())
"""


def begun(then: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PROGRAM.format(then=then)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def test_a_loop_that_is_stuck_ends_the_process_and_says_where() -> None:
    process = begun("time.sleep(60)")
    _, said = process.communicate(timeout=30)
    assert process.returncode == STUCK
    assert "event loop has not turned" in said
    assert "in main" in said


FILL = "while True: sys.stderr.write('x' * 1000)"  # as a log does that nobody reads
FILL_ALMOST = """os.set_blocking(2, False)
    while True:
        try: os.write(2, b'x' * 1000)
        except BlockingIOError: break
    os.set_blocking(2, True)
    time.sleep(60)"""


@pytest.mark.parametrize("then", [FILL, FILL_ALMOST])
def test_it_ends_although_nobody_reads_what_it_says(then: str) -> None:
    process = begun(then)
    try:
        assert process.wait(30) == STUCK
    finally:
        process.kill()
        process.communicate()


def test_a_process_that_was_frozen_goes_on_when_it_thaws() -> None:
    """Rule 6: it finds itself declared dead, and begins a new life."""
    process = begun("await asyncio.to_thread(sys.stdin.readline)")
    process.send_signal(signal.SIGSTOP)
    until_stopped(process.pid)
    time.sleep(1.0)  # twice the loop's patience
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate("\n", timeout=30)
    assert (process.returncode, said) == (0, "")


def until_stopped(pid: int) -> None:
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        os.sched_yield()


async def test_a_loop_that_turns_is_let_be() -> None:
    ended = threading.Event()
    watchdog = Watchdog(0.2, ended.set)
    watchdog.start()
    loop = asyncio.get_running_loop()
    until = loop.time() + 1.0
    while loop.time() < until:
        await asyncio.sleep(0.01)
    watchdog.stop()
    assert not ended.is_set()


async def test_a_stopped_watchdog_ends_nothing() -> None:
    ended = threading.Event()
    watchdog = Watchdog(0.02, ended.set)
    watchdog.start()
    watchdog.stop()
    assert not ended.wait(0.2)  # the loop stands still
