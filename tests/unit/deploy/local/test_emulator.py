from pathlib import Path

import psutil
import pytest

from deploy.local.broker import stop
from deploy.local.emulator import Emulator, Installation, Missing, find
from deploy.local.errors import CannotStart
from deploy.local.ports import free_port


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def make_jar(sdk: Path, version: str = "0.8.20") -> Path:
    jar = sdk / f"platform/pubsub-emulator/lib/cloud-pubsub-emulator-{version}-all.jar"
    return executable(jar)


def reason(found: Installation | Missing) -> str:
    assert isinstance(found, Missing)
    return found.reason


def test_without_an_sdk_the_reason_is_given(path: Path) -> None:
    assert "Google Cloud SDK is not installed" in reason(find())


def test_without_the_emulator_the_reason_says_how_to_get_it(path: Path) -> None:
    executable(path / "gcloud")
    assert "gcloud components install pubsub-emulator" in reason(find())


def test_without_java_the_reason_is_given(path: Path, tmp_path: Path) -> None:
    make_jar(tmp_path / "sdk")
    (path / "gcloud").symlink_to(executable(tmp_path / "sdk/bin/gcloud"))
    assert "needs Java" in reason(find())


def test_the_sdk_is_found_behind_a_link(path: Path, tmp_path: Path) -> None:
    jar, java = make_jar(tmp_path / "sdk"), executable(path / "java")
    (path / "gcloud").symlink_to(executable(tmp_path / "sdk/bin/gcloud"))
    assert find() == Installation(java, jar)


def test_gcloud_is_asked_where_the_sdk_is_elsewhere(path: Path, tmp_path: Path) -> None:
    jar, java = make_jar(tmp_path / "sdk"), executable(path / "java")
    executable(path / "gcloud", f"#!/bin/sh\necho {tmp_path}/sdk\n")
    assert find() == Installation(java, jar)


def test_ready_only_while_it_runs_and_nothing_is_left(emulator_installation: Installation, tmp_path: Path) -> None:
    emulator = Emulator(port=free_port(), installation=emulator_installation)
    assert not emulator.ready()
    with (tmp_path / "log").open("wb") as log:
        process = emulator.start(log)
    assert emulator.ready()
    assert psutil.Process(process.pid).children() == []
    stop(process)
    assert not psutil.pid_exists(process.pid)
    assert not emulator.ready()
    assert b"Server started" in (tmp_path / "log").read_bytes()


def test_an_emulator_that_ends_at_once_cannot_start(
    emulator_installation: Installation, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = Installation(emulator_installation.java, make_jar(tmp_path))
    with (tmp_path / "log").open("wb") as log, pytest.raises(CannotStart, match="port"):
        Emulator(port=free_port(), installation=broken).start(log)
    assert b"jar" in (tmp_path / "log").read_bytes()
