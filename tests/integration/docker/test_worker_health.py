"""What a worker's container says of its health."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import uuid_utils.compat

from deploy.docker.worker_health import alive, main
from ml_service.worker.incarnation import Incarnation, Report
from shared.database.leases import leave, register_worker
from shared.database.pool import Database

HOST = "1a982f2bb755"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    db = await Database.connect(database_url, size=2)
    yield db
    await db.close()


async def registered(db: Database, name: str, *, lease: float = 30.0) -> UUID:
    worker = uuid_utils.compat.uuid7()
    await register_worker(db, worker, name=name, device="cpu", lease=lease)
    return worker


async def test_a_worker_with_a_lease_lives(db: Database, database_url: str) -> None:
    await registered(db, f"{HOST}:7")
    assert await alive(database_url, HOST)


async def test_a_neighbour_does_not_count(db: Database, database_url: str) -> None:
    await registered(db, f"{HOST}0:7")
    await registered(db, "other:7")
    assert not await alive(database_url, HOST)


async def test_a_lease_that_is_over_is_no_life(db: Database, database_url: str) -> None:
    """What hangs, or has lost the database, still has its process."""
    await registered(db, f"{HOST}:7", lease=-1.0)
    assert not await alive(database_url, HOST)


async def test_a_worker_that_has_left_does_not_live(db: Database, database_url: str) -> None:
    await leave(db, await registered(db, f"{HOST}:7"))
    assert not await alive(database_url, HOST)


async def test_the_worker_here_is_found_by_its_host(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it names itself."""
    report = Report("cpu", [], [])
    incarnation = Incarnation(db, lambda: report, lambda _: None, lambda: None, lease=30.0, interval=5.0)
    await incarnation.register()
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert await asyncio.to_thread(main) == 0


def test_without_a_worker_here_it_is_unhealthy(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert main() == 1


def test_without_an_answer_nobody_can_say_that_it_lives(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("deploy.docker.worker_health.PATIENCE", 0.1)
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")
    assert main() == 1
    assert "did not answer" in capsys.readouterr().err
