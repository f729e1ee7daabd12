"""Parts are kept running, and stopped in order."""

import asyncio
import os
import signal
import sys
import time

import pytest

from deploy.local import supervisor as supervision
from deploy.local.errors import CannotStart
from deploy.local.supervisor import Supervisor
from tests.unit.deploy.local.conftest import STUBBORN, DummyFactory, Heard
from tests.unit.deploy.local.signs import gone, until

WITH_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
print("up", flush=True)
time.sleep(600)
"""

TELLS_ITS_SETTING = """
import os, time
print("once:", os.environ.get("ONCE", "no"), flush=True)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.01)


async def test_a_start_returns_when_the_part_is_ready(
    supervisor: Supervisor, dummy: DummyFactory, heard: Heard
) -> None:
    await supervisor.start(dummy("a"))
    assert heard.count("a", "up") == 1
    assert supervisor.processes["a"].running


async def test_stages_are_stopped_one_after_the_other(
    supervisor: Supervisor, dummy: DummyFactory, heard: Heard
) -> None:
    for name in ("database", "api", "worker-1", "worker-2"):
        await supervisor.start(dummy(name))
    pids = [process.pid for process in supervisor.processes.values()]
    await supervisor.stop(["worker-1", "worker-2"], ["api"], ["database"])
    asked = [name for name, text in heard.lines if text == "asked"]
    assert set(asked[:2]) == {"worker-1", "worker-2"}
    assert asked[2:] == ["api", "database"]
    assert all(gone(pid) for pid in pids)


async def test_a_part_that_does_not_go_is_killed_after_its_grace(supervisor: Supervisor, dummy: DummyFactory) -> None:
    await supervisor.start(dummy("a", STUBBORN, grace=0.2))
    pid = supervisor.processes["a"].pid
    await supervisor.stop(["a"])
    assert gone(pid)


async def test_to_hurry_asks_once_more_and_cuts_the_grace_short(
    supervisor: Supervisor, dummy: DummyFactory, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.child.HURRIED_GRACE", 0.2)
    await supervisor.start(dummy("a", STUBBORN, grace=600))
    pid = supervisor.processes["a"].pid
    stopping = asyncio.create_task(supervisor.stop(["a"]))
    await until(lambda: heard.count("a", "asked") == 1)
    supervisor.hurry()
    await until(lambda: heard.count("a", "asked") == 2)
    await stopping
    assert gone(pid)


async def test_a_part_that_dies_is_started_again_and_it_is_said(
    supervisor: Supervisor, dummy: DummyFactory, heard: Heard
) -> None:
    await supervisor.start(dummy("a"))
    first = supervisor.processes["a"].pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: heard.count("a", "up") == 2)
    assert supervisor.processes["a"].pid != first
    assert ("torchrelay", "a was ended by SIGKILL. It is started again in 0.01 s.") in heard.lines


async def test_the_pause_before_a_restart_doubles(supervisor: Supervisor, dummy: DummyFactory, heard: Heard) -> None:
    await supervisor.start(dummy("a", "print('up', flush=True); import sys; sys.stdin.read(); sys.exit(3)"))
    await until(lambda: len(heard.lines) > 8)
    said = [text for name, text in heard.lines if name == "torchrelay"]
    pauses = ("0.01", "0.02", "0.04")
    assert said[:3] == [f"a ended with exit status 3. It is started again in {pause} s." for pause in pauses]


async def test_what_a_dead_part_has_started_dies_with_it(
    supervisor: Supervisor, dummy: DummyFactory, heard: Heard
) -> None:
    await supervisor.start(dummy("a", WITH_A_CHILD))
    grandchild = int(heard.lines[0][1])
    os.kill(supervisor.processes["a"].pid, signal.SIGKILL)
    await until(lambda: gone(grandchild))


async def test_a_part_can_be_stopped_while_it_waits_to_be_started_again(
    supervisor: Supervisor, dummy: DummyFactory, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 600.0)
    await supervisor.start(dummy("a"))
    os.kill(supervisor.processes["a"].pid, signal.SIGKILL)
    await until(lambda: any(name == "torchrelay" for name, _ in heard.lines))
    await supervisor.stop(["a"])
    assert not supervisor.processes["a"].running


async def test_a_stopped_part_can_be_started_again(supervisor: Supervisor, dummy: DummyFactory, heard: Heard) -> None:
    await supervisor.start(dummy("a"))
    await supervisor.stop(["a"])
    await supervisor.processes["a"].start()
    assert supervisor.processes["a"].running
    await until(lambda: heard.count("a", "up") == 2)


async def test_a_part_that_ends_before_it_is_ready_is_an_error_that_says_how(
    supervisor: Supervisor, dummy: DummyFactory
) -> None:
    with pytest.raises(CannotStart, match="a ended with exit status 7 while starting"):
        await supervisor.start(dummy("a", "import sys; sys.exit(7)"))


async def test_a_part_that_is_never_ready_is_an_error_and_ends(
    supervisor: Supervisor, dummy: DummyFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "START_TIMEOUT", 0.3)
    with pytest.raises(CannotStart, match=r"was not ready within 0\.3 s"):
        await supervisor.start(dummy("a", "import time; time.sleep(600)"))
    assert not supervisor.processes["a"].running


async def test_a_program_that_is_not_there_is_an_error_that_names_it(supervisor: Supervisor) -> None:
    with pytest.raises(CannotStart, match="no-such-program cannot be run: No such file"):
        await supervisor.run("a", ["/no-such-program"], {})


async def test_a_quiet_part_is_heard_only_when_it_dies(
    supervisor: Supervisor, dummy: DummyFactory, heard: Heard
) -> None:
    await supervisor.start(dummy("a", "import sys; print('last words', flush=True); sys.exit(1)", quiet=True))
    await until(lambda: heard.count("a", "last words") >= 1)
    assert heard.lines[:2] == [
        ("a", "last words"),
        ("torchrelay", "a ended with exit status 1. It is started again in 0.01 s."),
    ]


async def test_a_command_returns_when_it_has_ended_well(supervisor: Supervisor, heard: Heard) -> None:
    await supervisor.run("once", [sys.executable, "-c", "print('done')"], {})
    assert heard.lines == [("once", "done")]


async def test_a_command_that_fails_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(CannotStart, match="once ended with exit status 2"):
        await supervisor.run("once", [sys.executable, "-c", "import sys; sys.exit(2)"], {})


async def test_a_command_that_is_cancelled_ends(supervisor: Supervisor, heard: Heard) -> None:
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    running = asyncio.create_task(supervisor.run("once", [sys.executable, "-c", program], {}))
    await until(lambda: bool(heard.lines))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gone(int(heard.lines[0][1]))


async def test_output_arrives_in_whole_lines_and_to_the_last_one(supervisor: Supervisor, heard: Heard) -> None:
    program = "import sys; print('x' * 200_000); print('é'); sys.stderr.write('no newline at the end')"
    await supervisor.run("once", [sys.executable, "-c", program], {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"})
    texts = [text for _, text in heard.lines]
    assert "".join(texts[:-2]) == "x" * 200_000
    assert texts[-2:] == ["é", "no newline at the end"]


async def test_a_stop_takes_no_longer_than_the_part_does(supervisor: Supervisor, dummy: DummyFactory) -> None:
    await supervisor.start(dummy("a", grace=600))
    before = time.monotonic()
    await supervisor.stop(["a"])
    assert time.monotonic() - before < 5


async def test_settings_for_once_are_gone_after_the_first_end(
    supervisor: Supervisor, dummy: DummyFactory, heard: Heard
) -> None:
    await supervisor.start(dummy("a", TELLS_ITS_SETTING))
    part = supervisor.processes["a"]
    await part.stop()
    await part.start({"ONCE": "yes"})
    await until(lambda: heard.count("a", "up") == 2)
    os.kill(part.pid, signal.SIGKILL)
    await until(lambda: heard.count("a", "up") == 3)
    assert [text for name, text in heard.lines if name == "a" and text.startswith("once")] == [
        "once: no",
        "once: yes",
        "once: no",
    ]
