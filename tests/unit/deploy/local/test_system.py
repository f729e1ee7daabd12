"""The whole system, with all its real parts, as `make run` starts it. Only the model `echo` is served: it loads at once."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.local.errors import CannotStart
from deploy.local.postgres import Postgres
from deploy.local.system import LocalSystem
from ml_service.models.digits.version import VERSION
from shared.broker.pubsub import Pubsub
from tests.unit.deploy.local.signs import gone, until, wait_until


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A model repository that looks trained: there is no need to wait for that."""
    trained = tmp_path / f"models/digits/{VERSION}"
    trained.mkdir(parents=True)
    (trained / "model.toml").touch()
    return tmp_path / "models"


@pytest.fixture
def environment(models: Path) -> dict[str, str]:
    ours = {"MODELS": "echo", "MODEL_REPOSITORY": str(models), "PYTHONUNBUFFERED": "1"}
    return {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_HOST"))} | ours


class Launcher:
    """`python -m deploy.local` in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []

    @property
    def url(self) -> str:
        found = re.search(r"ready: (http\S+)", "".join(self.lines))
        assert found is not None
        return found[1]

    def read_until(self, words: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if words in line:
                return
        raise AssertionError(f"it never said {words!r}:\n" + "".join(self.lines))

    def parts(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def launched(data: Path, environment: dict[str, str], *arguments: str) -> Iterator[Launcher]:
    command = [sys.executable, "-m", "deploy.local", "--data", str(data), "--port", "0", "--echo", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, env=environment, text=True, **streams) as process:  # type: ignore[call-overload]
        try:
            yield Launcher(process)
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(Postgres(data / "postgres").socket_folder, ignore_errors=True)


def _submit(url: str, *, seconds: int) -> str:
    job = {"model": "echo", "input": {"seconds": seconds}}
    return str(httpx.post(f"{url}/v1/jobs", json=job, trust_env=False).raise_for_status().json()["id"])


def _state(url: str, job_id: str) -> str:
    return str(httpx.get(f"{url}/v1/jobs/{job_id}", trust_env=False).json()["state"])


def test_a_job_runs_and_is_still_there_after_ctrl_c_and_another_start(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    data = tmp_path / "data"
    with launched(data, environment) as launcher:
        launcher.read_until("ready: ")
        job_id = _submit(launcher.url, seconds=0)
        wait_until(lambda: _state(launcher.url, job_id) == "succeeded")
        parts = launcher.parts()
        launcher.process.send_signal(signal.SIGINT)
        assert launcher.process.wait(60) == 0
        assert not [part for part in parts if not gone(part.pid)]
    with launched(data, environment) as launcher:
        launcher.read_until("ready: ")
        assert _state(launcher.url, job_id) == "succeeded"


def test_a_second_ctrl_c_does_not_wait_for_running_jobs(tmp_path: Path, environment: dict[str, str]) -> None:
    patient = environment | {"DRAIN_GRACE": "600"}
    with launched(tmp_path / "data", patient) as launcher:
        launcher.read_until("ready: ")
        job_id = _submit(launcher.url, seconds=600)
        wait_until(lambda: _state(launcher.url, job_id) == "running")
        launcher.process.send_signal(signal.SIGINT)
        launcher.read_until("draining")
        launcher.process.send_signal(signal.SIGINT)
        assert launcher.process.wait(60) == 0


def test_a_sigkill_of_the_launcher_leaves_nothing_and_the_next_one_starts_over_if_told(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    data = tmp_path / "data"
    with launched(data, environment) as launcher:
        launcher.read_until("ready: ")
        (data / "postgres" / "witness").touch()
        parts = launcher.parts()
        assert len(parts) > 4
        launcher.process.kill()
    wait_until(lambda: all(gone(part.pid) for part in parts))
    with launched(data, environment, "--fresh") as launcher:
        launcher.read_until("ready: ")
        assert f"torchrelay | removed {data / 'postgres'}\n" in launcher.lines
        assert not (data / "postgres" / "witness").exists()


def test_ctrl_c_while_it_starts_stops_it(tmp_path: Path, environment: dict[str, str]) -> None:
    with launched(tmp_path / "data", environment) as launcher:
        wait_until((tmp_path / "data/processes.json").exists)
        parts = launcher.parts()
        launcher.process.send_signal(signal.SIGINT)
        assert launcher.process.wait(60) == 0
        assert not [part for part in parts if not gone(part.pid)]


@pytest.mark.parametrize(
    ("arguments", "settings", "reason"),
    [
        ((), {"API_PORT": "x"}, "API_PORT: "),
        (("--data", "/proc/nowhere"), {}, "The data folder /proc/nowhere cannot be used: "),
        (("--broker", "official"), {"PATH": ""}, "There is no emulator: the Google Cloud SDK is not installed"),
        (("--broker", "nowhere"), {}, "A broker is `official`, `embedded` or host:port, not 'nowhere'."),
        (("--broker", "127.0.0.1:1"), {}, "Nothing answers at 127.0.0.1:1"),
        ((), {"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}, "Nothing answers at 127.0.0.1:1"),
        (
            (),
            {"DATABASE_URL": "postgresql://127.0.0.1:1/x", "DATABASE_PATIENCE": "0.1"},
            "migrate ended with exit status 1",
        ),
    ],
)
def test_what_prevents_a_start_is_said_in_one_line(
    tmp_path: Path, environment: dict[str, str], arguments: tuple[str, ...], settings: dict[str, str], reason: str
) -> None:
    with launched(tmp_path / "data", environment | settings, *arguments) as launcher:
        output, _ = launcher.process.communicate(timeout=60)
        assert launcher.process.returncode == 1
    assert output.splitlines()[-1].startswith(f"error: {reason}")
    assert "Traceback" not in output


async def test_parts_come_back_when_they_die_and_the_database_when_it_is_told(tmp_path: Path, models: Path) -> None:
    async with LocalSystem(
        tmp_path / "data", port=0, echo=True, durable=False, models=models, env={"MODELS": "echo"}
    ) as system:
        for name in ("worker-1", "api", "broker", "postgres"):
            process = system.processes[name]
            before = process.pid
            os.kill(before, signal.SIGKILL)
            await until(lambda process=process, before=before: process.running and process.pid != before)  # type: ignore[misc]
        await until(lambda: _status(system.url) == 200)
        await system.stop("postgres")
        await until(lambda: _status(system.url) == 503)
        await system.start("postgres")
        await until(lambda: _status(system.url) == 200)


def _status(url: str) -> int:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False, timeout=5).status_code
    except httpx.HTTPError:
        return 0


async def test_a_second_system_on_the_same_folder_is_refused_and_the_first_unharmed(
    tmp_path: Path, models: Path, database_url: str
) -> None:
    """On a database that was there already: the system starts none of its own."""
    async with LocalSystem(
        tmp_path / "data", port=0, workers=0, durable=False, models=models, database_url=database_url
    ) as system:
        assert set(system.processes) == {"api", "broker"}
        with pytest.raises(CannotStart, match="in use by another"):
            async with LocalSystem(tmp_path / "data", port=0):
                pass
        assert _status(system.url) == 200


async def test_the_stand_in_can_be_restarted_and_comes_back_empty(
    tmp_path: Path, models: Path, database_url: str
) -> None:
    async with LocalSystem(
        tmp_path / "data", port=0, workers=0, models=models, database_url=database_url, broker="embedded"
    ) as system:
        host = system.environment["PUBSUB_EMULATOR_HOST"]
        broker = await Pubsub.connect("restart", host)
        try:
            assert await broker.provision("echo")
            await system.restart_broker()
            assert await broker.provision("echo")  # made anew
        finally:
            await broker.close()
