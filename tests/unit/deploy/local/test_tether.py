"""Nothing outlives a launcher that is killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.leftovers import Leftovers
from deploy.local.tether import tethered
from tests.unit.deploy.local.signs import gone, wait_until

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")

# Starts a part that ends on SIGTERM and one that does not, and then waits for ever.
LAUNCHER = """
import asyncio, sys
from pathlib import Path
from deploy.local.console import Console
from deploy.local.leftovers import Leftovers
from deploy.local.supervisor import Component, Supervisor
from deploy.local.tether import tethered

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"

async def ready(pid):  # tethered: what ties it has become what it ties
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\\0")
    return words[0] == sys.executable and STUBBORN in words

async def main():
    supervisor = Supervisor(Console(), Leftovers(Path(sys.argv[1])))
    for name in ("a", "b"):
        command = tethered([sys.executable, "-c", STUBBORN])
        await supervisor.start(Component(name=name, command=command, environment={}, ready=ready))
    print(*(process.pid for process in supervisor.processes.values()), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def _next_pids(launcher: "subprocess.Popen[str]") -> list[int]:
    assert launcher.stdout is not None
    for line in launcher.stdout:
        if line.split()[0].isdigit():
            return [int(word) for word in line.split()]
    raise AssertionError("the launcher ended")


@on_linux
def test_a_sigkill_of_the_launcher_leaves_nothing_running(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LAUNCHER, str(tmp_path / "processes.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        pids = _next_pids(launcher)
        assert not any(gone(pid) for pid in pids)
        launcher.kill()
        wait_until(lambda: all(gone(pid) for pid in pids))


@on_linux
def test_the_signal_can_be_chosen(tmp_path: Path) -> None:
    """Postgres shuts down in order on SIGINT."""
    farewell = tmp_path / "farewell"
    program = f"""
import pathlib, signal, sys, time
def on_int(*_):
    pathlib.Path({str(farewell)!r}).touch()
    sys.exit()
signal.signal(signal.SIGINT, on_int)
print("up", flush=True)
time.sleep(600)
"""
    parent = f"import subprocess; subprocess.run({tethered([sys.executable, '-c', program], 'INT')!r})"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    wait_until(farewell.exists)


def test_the_next_launcher_ends_what_the_last_one_left(tmp_path: Path) -> None:
    """Where the kernel does not."""
    file = tmp_path / "processes.json"
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Leftovers(file).note(left.pid)
    Leftovers(file).end()
    assert left.wait(10) == -signal.SIGKILL
    assert not file.exists()


def test_a_stranger_with_the_number_of_a_leftover_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "processes.json"
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    file.write_text(json.dumps({stranger.pid: 1.0}))
    Leftovers(file).end()
    stranger.terminate()
    assert stranger.wait(10) == -signal.SIGTERM  # not SIGKILL, which would have come before


def test_what_was_ended_in_order_is_not_left(tmp_path: Path) -> None:
    file = tmp_path / "processes.json"
    leftovers = Leftovers(file)
    leftovers.note(os.getpid())
    leftovers.forget(os.getpid())
    assert json.loads(file.read_text()) == {}


@pytest.mark.parametrize("content", ["", "{", None])
def test_an_unreadable_note_is_no_obstacle(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "processes.json"
    if content is not None:
        file.write_text(content)
    Leftovers(file).end()
