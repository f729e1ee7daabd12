"""The embedded Postgres: real ones, on folders of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from deploy.local.errors import CannotStart
from deploy.local.postgres import Postgres
from tests.unit.deploy.local.signs import gone, wait_until


def _pid(server: Postgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split("\n")[0])


def _count(url: str) -> int:
    with _engine(url).begin() as connection:
        count: int = connection.execute(text("SELECT count(*) FROM kept")).scalar_one()
    return count


def _execute(url: str, statement: str) -> None:
    with _engine(url).begin() as connection:
        connection.execute(text(statement))


def _engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg2:", 1), poolclass=NullPool)


# Runs a server on the folder, makes a table with one row, says so, and waits to be killed.
KILLED = """
import sys, time
from pathlib import Path
from deploy.local.postgres import Postgres
from tests.unit.deploy.local.test_postgres import _execute
server = Postgres(Path(sys.argv[1]), durable=False)
with server.running():
    server.create_database()
    _execute(server.url(), "CREATE TABLE kept AS SELECT 1")
    print(int((server.data / "postmaster.pid").read_text().split()[0]), flush=True)
    time.sleep(600)
"""


def test_data_outlives_a_restart_in_a_folder_however_deep_and_oddly_named(tmp_path: Path) -> None:
    """A socket in it would be over the limit of a socket's path."""
    server = Postgres(tmp_path / "a name, with $pecial 'characters'" / ("deep" * 30) / "data", durable=False)
    with server.running():
        server.create_database()
        _execute(server.url(), "CREATE TABLE kept AS SELECT 1")
    with server.running():
        assert _count(server.url()) == 1


def test_nothing_is_left_after_the_end(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    with server.running():
        pid = _pid(server)
        assert not gone(pid)
    assert gone(pid)
    assert not server.socket_folder.exists()
    assert not server.ready()


def test_it_starts_again_after_its_launcher_was_killed(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    with subprocess.Popen([sys.executable, "-c", KILLED, str(server.data)], stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout is not None
        launcher.stdout.readline()
        launcher.kill()
    with server.running():
        assert _count(server.url()) == 1


def test_it_starts_again_after_everything_was_killed_and_its_number_given_to_another(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    command = [sys.executable, "-c", KILLED, str(server.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        postmaster = int(launcher.stdout.readline())
        os.kill(postmaster, signal.SIGKILL)
        launcher.kill()
    wait_until(lambda: gone(postmaster))
    stale = (server.data / "postmaster.pid").read_text().replace(str(postmaster), str(os.getpid()), 1)
    (server.data / "postmaster.pid").write_text(stale)
    with server.running():
        assert _count(server.url()) == 1


def test_a_server_left_behind_is_ended_when_the_data_is_removed(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    server.prepare()
    left = subprocess.Popen(server.command(), start_new_session=True, stderr=subprocess.DEVNULL)
    wait_until(server.ready)
    server.remove()
    assert left.wait(10) == 0
    assert not server.data.exists()


def test_an_initialisation_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    half = tmp_path / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    with server.running():
        assert server.ready()
    assert not half.exists()


async def test_a_commit_waits_for_the_disk_unless_told_otherwise(tmp_path: Path) -> None:
    """An answered submission must survive a power cut."""
    server = Postgres(tmp_path / "data")
    with server.running():
        connection = await asyncpg.connect(server.url("postgres"))
        settings = ("fsync", "synchronous_commit", "full_page_writes")
        assert [await connection.fetchval(f"SHOW {name}") for name in settings] == ["on", "on", "on"]
        await connection.close()


def test_making_a_database_twice_keeps_the_first(postgres: Postgres) -> None:
    postgres.create_database("twice")
    _execute(postgres.url("twice"), "CREATE TABLE kept AS SELECT 1")
    postgres.create_database("twice")
    assert _count(postgres.url("twice")) == 1


def test_nobody_else_may_enter_the_sockets_folder(postgres: Postgres) -> None:
    assert postgres.socket_folder.stat().st_mode & 0o777 == 0o700


def test_a_server_that_cannot_start_says_so(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "data", durable=False)
    server.prepare()
    (server.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(CannotStart, match="Postgres did not start"), server.running():
        pass
