"""Logs: a line that cannot be written costs nothing but that line."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

PROGRAM = """
import logging, sys
import structlog
from shared.logs import configure_logs
from shared.settings import LogSettings

configure_logs(LogSettings(log_format=sys.argv[1]))
log = structlog.get_logger("ours")
for _ in range(3):
    log.info("a line", id=7)
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("a line with its traceback")
    logging.getLogger("a library").warning("a line of a library")
print("went on")
"""


def full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def reader_that_is_gone() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a device of Linux")


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("stderr", [pytest.param(full_disk, marks=on_linux), reader_that_is_gone])
def test_a_line_that_cannot_be_written_stops_nobody(stderr: Callable[[], int], log_format: str) -> None:
    to = stderr()
    try:
        command = [sys.executable, "-c", PROGRAM, log_format]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=to, text=True, timeout=30, check=False)
    finally:
        os.close(to)
    assert done.stdout == "went on\n"


def test_what_can_be_written_is() -> None:
    command = [sys.executable, "-c", PROGRAM, "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    lines = done.stderr.splitlines()
    assert len(lines) == 9
    assert '"event": "a line"' in lines[0]
    assert "ZeroDivisionError" in lines[1]
    assert '"event": "a line of a library"' in lines[2]
