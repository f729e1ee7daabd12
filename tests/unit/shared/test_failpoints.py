"""A process dies where it is told to, and nowhere else."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared import failpoints
from shared.errors import InvalidSettings
from shared.failpoints import Failpoint

ROOT = Path(failpoints.__file__).parents[1]
PASSES = """
from contextlib import suppress
from shared import failpoints
from shared.errors import InvalidSettings
from shared.failpoints import Failpoint, reached
with suppress(InvalidSettings):
    failpoints.arm({setting!r})
for number in range(1, 4):
    reached(Failpoint.WORKER_CLAIMED)
    print(number, flush=True)
"""


def passed(setting: str) -> tuple[int, list[str]]:
    """-> (the exit status, which passes it survived)"""
    command = [sys.executable, "-c", PASSES.format(setting=setting)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout.split()


def test_a_process_kills_itself_where_it_is_told_to() -> None:
    assert passed("worker.claimed") == (-signal.SIGKILL, [])


def test_it_may_pass_some_times_before() -> None:
    assert passed("worker.claimed:3") == (-signal.SIGKILL, ["1", "2"])


@pytest.mark.parametrize("setting", ["", "worker.settled", "worker.claimed:x"])
def test_other_places_are_passed_and_so_are_those_that_were_refused(setting: str) -> None:
    assert passed(setting) == (0, ["1", "2", "3"])


@pytest.mark.parametrize("setting", ["worker", "worker.claimed:x", "worker.claimed:-"])
def test_a_place_that_there_is_not_is_refused_with_those_there_are(setting: str) -> None:
    with pytest.raises(InvalidSettings, match=r"FAILPOINT: .* is not one of api\.inserting, "):
        failpoints.arm(setting)


def test_every_place_is_in_the_code_and_in_a_test_of_what_it_leaves() -> None:
    def text(*folders: str) -> str:
        return "\n".join(file.read_text() for folder in folders for file in (ROOT / folder).rglob("*.py"))

    code, tests = text("api_service", "ml_service"), text("tests/chaos")
    assert not [one.name for one in Failpoint if f"reached(Failpoint.{one.name})" not in code]
    assert not [one.name for one in Failpoint if f"Failpoint.{one.name}" not in tests]
