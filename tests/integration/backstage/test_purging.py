"""Purging on a real database with a real folder: row, commit, file; and looking for files without a row."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from api_service.counts import Counts
from api_service.retention import purging as purging_module
from api_service.retention import sweep as sweep_module
from api_service.retention.purging import UPLOADS_EVERY, Purging
from api_service.retention.sweep import Sweep
from shared.blob_keys import new_key
from shared.database import retention
from shared.database.entries import Ending
from shared.database.retention import SWEEP_LOCK, try_lock
from shared.database.settlement import Settlement, settle
from shared.errors import BlobsUnavailable
from shared.states import JobState
from tests.contract.database.stage import OWNER, Stage, new_id
from tests.integration.backstage.going_on import going_on
from tests.unsteady_blobs import UnsteadyBlobs
from tests.unsteady_database import UnsteadyDatabase

AGE = 24 * 3600.0
DUE = "purge_at = now() - interval '1 s'"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Keeping:
    """Both services, moved by hand."""

    def __init__(self, db: UnsteadyDatabase, stage: Stage, blobs: UnsteadyBlobs) -> None:
        self.db = db
        self.stage = stage
        self.blobs = blobs
        self.counts = Counts()
        self.clock = Clock()
        self.purging = Purging(db, blobs, AGE, self.counts, self.clock)
        self.sweep = Sweep(db, blobs, AGE, 3600.0, self.counts)

    async def file(self, key: str, *, old: bool = True) -> str:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"x" * 100

        await self.blobs.create(key, pieces())
        if old:
            when = time.time() - AGE - 60
            os.utime(Path(str(self.blobs._root)) / key, (when, when))
        return key

    async def files(self) -> set[str]:
        return {key async for keys in self.blobs.older_than(timedelta(seconds=-60)) for key in keys}

    async def succeeded(self, worker: UUID) -> tuple[UUID, str]:
        """-> (job id, key of its result)"""
        held = await self.stage.running(worker)
        key = await self.file(new_key(*held))
        blob: dict[str, Any] = {"result_key": key, "result_size": 100, "result_sha256": "ab"}
        await settle(self.stage.db, [Settlement(*held, Ending.SUCCEEDED, **blob)])
        return held[0], key

    async def upload(self, age: float = AGE + 60) -> UUID:
        upload_id = new_id()
        await self.stage.connection.execute(
            "INSERT INTO uploads (id, owner, key, size, content_type, sha256, created_at) "
            f"VALUES ($1, $2, $3, 1, 'image/png', '', now() - interval '{age} s')",
            *(upload_id, OWNER, await self.file(f"uploads/{upload_id}")),
        )
        return upload_id


@pytest.fixture
def blobs(tmp_path: Path) -> UnsteadyBlobs:
    return UnsteadyBlobs(str(tmp_path / "blobs"))


@pytest.fixture
async def keeping(
    db: UnsteadyDatabase, stage: Stage, blobs: UnsteadyBlobs, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Keeping]:
    monkeypatch.setattr(sweep_module, "PAUSE", 0.0)
    yield Keeping(db, stage, blobs)
    await stage.connection.execute("DELETE FROM job_uploads; DELETE FROM uploads")


# --- purging


async def test_a_result_s_file_goes_with_it_and_the_row_later(keeping: Keeping, stage: Stage) -> None:
    job_id, _ = await keeping.succeeded(await stage.worker())
    await stage.change(job_id, DUE)
    assert not await keeping.purging.tick()
    assert await keeping.files() == set()
    assert await stage.state(job_id) is JobState.SUCCEEDED
    await stage.change(job_id, DUE)
    await keeping.purging.tick()
    assert await stage.rows() == []
    assert (keeping.counts.purged_results, keeping.counts.purged_rows) == (1, 1)


async def test_a_row_takes_its_file_with_it(keeping: Keeping, stage: Stage) -> None:
    job_id, _ = await keeping.succeeded(await stage.worker())
    await stage.change(job_id, f"{DUE}, finished_at = now() - row_retention - interval '1 s'")
    await keeping.purging.tick()
    assert await stage.rows() == []
    assert await keeping.files() == set()


async def test_no_file_goes_before_the_commit(keeping: Keeping, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A purge that is undone must not have cost the result."""
    job_id, key = await keeping.succeeded(await stage.worker())
    await stage.change(job_id, DUE)

    async def fails(*_: Any) -> Any:
        raise RuntimeError

    purge = retention.purge_results

    async def undone(tx: Any) -> Any:
        await purge(tx)
        raise RuntimeError("undone")

    monkeypatch.setattr(purging_module, "purge_results", undone)
    with pytest.raises(RuntimeError, match="undone"):
        await keeping.purging.tick()
    assert await keeping.files() == {key}
    assert (await stage.row(job_id))["result_key"] == key


async def test_while_the_store_is_away_rows_go_and_their_files_are_left_to_the_sweep(
    keeping: Keeping, stage: Stage
) -> None:
    worker = await stage.worker()
    for job_id, _ in [await keeping.succeeded(worker) for _ in range(3)]:
        await stage.change(job_id, f"{DUE}, finished_at = now() - row_retention - interval '1 s'")
    keeping.blobs.away = True
    with capture_logs() as logs:
        await keeping.purging.tick()
    assert await stage.rows() == []
    assert keeping.blobs.tried["delete"] == 1  # the others would not fare better
    assert [entry["count"] for entry in logs if entry["log_level"] == "warning"] == [3]
    keeping.blobs.away = False
    assert len(await keeping.files()) == 3
    await keeping.sweep.sweep()
    assert await keeping.files() == set()
    assert keeping.counts.removed_orphans == 3


async def test_uploads_go_a_day_after_they_were_sent_unless_a_job_refers_to_them(
    keeping: Keeping, stage: Stage
) -> None:
    old, young, used = await keeping.upload(), await keeping.upload(age=60), await keeping.upload()
    await stage.connection.execute("INSERT INTO job_uploads VALUES ($1, $2)", await stage.queued(), used)
    await keeping.purging.tick()
    assert await keeping.files() == {f"uploads/{young}", f"uploads/{used}"}
    assert keeping.counts.purged_uploads == 1
    assert old not in {row["id"] for row in await stage.connection.fetch("SELECT id FROM uploads")}


async def test_uploads_are_not_looked_for_at_every_tick(keeping: Keeping) -> None:
    await keeping.purging.tick()
    await keeping.upload()
    await keeping.purging.tick()
    assert keeping.counts.purged_uploads == 0
    keeping.clock.now += UPLOADS_EVERY
    await keeping.purging.tick()
    assert keeping.counts.purged_uploads == 1


async def test_a_second_instance_does_nothing_while_the_first_is_at_it(keeping: Keeping, stage: Stage) -> None:
    """Rule 12."""
    job_id, key = await keeping.succeeded(await stage.worker())
    await stage.change(job_id, DUE)
    async with stage.db.transaction() as first:
        assert await try_lock(first)
        assert not await keeping.purging.tick()
    assert await keeping.files() == {key}


async def test_more_than_a_tick_takes_is_taken_by_the_next_ones(
    keeping: Keeping, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits between them."""
    monkeypatch.setattr(purging_module, "TICK_EVERY", 3600.0)
    await stage.jobs(retention.ROWS_PER_TICK + 5)
    await stage.connection.execute(f"UPDATE jobs SET state = 'cancelled', finished_at = now(), {DUE}")
    async with going_on(keeping.purging), asyncio.timeout(10):
        while await stage.rows():
            await asyncio.sleep(0)


async def test_it_goes_on_when_the_database_is_back(
    keeping: Keeping, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging_module, "TICK_EVERY", 0.001)
    job_id = await stage.ended(JobState.FAILED)
    await stage.change(job_id, DUE)
    keeping.db.away = True
    async with going_on(keeping.purging), asyncio.timeout(10):
        await keeping.db.until(lambda: keeping.db.asked["transaction"] >= 3)
        keeping.db.away = False
        while await stage.rows():
            await asyncio.sleep(0)


# --- the sweep


async def test_only_old_files_without_a_row_are_removed(keeping: Keeping, stage: Stage) -> None:
    worker = await stage.worker()
    job_id, key = await keeping.succeeded(worker)
    held = await stage.running(worker)
    stays = {
        key,
        await keeping.file(new_key(*held)),  # its attempt may settle it yet
        await keeping.file(new_key(new_id(), 1), old=False),
        f"uploads/{await keeping.upload()}",
    }
    await keeping.file(new_key(job_id, 1))  # a try whose settlement was refused
    await keeping.file(new_key(held[0], held[1] + 1))
    await keeping.file(new_key(new_id(), 1))
    await keeping.file(f"uploads/{new_id()}")
    await keeping.sweep.sweep()
    assert await keeping.files() == stays
    assert keeping.counts.removed_orphans == 4


async def test_what_is_not_named_as_ours_is_left_alone_and_told_of_once(keeping: Keeping) -> None:
    foreign = {await keeping.file(key) for key in ("notes.txt", "uploads/readme", f"{uuid4()}/checkpoint", "a/b/c/d")}
    with capture_logs() as logs:
        await keeping.sweep.sweep()
        await keeping.sweep.sweep()
    told = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [(entry["count"], set(entry["for_example"])) for entry in told] == [(4, foreign)]
    assert await keeping.files() == foreign


async def test_a_sweep_looks_at_so_many_and_the_next_one_goes_on_behind_them(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "KEYS_AT_ONCE", 2)
    monkeypatch.setattr(sweep_module, "KEYS_PER_SWEEP", 4)
    for _ in range(10):
        await keeping.file(new_key(new_id(), 1))
    left = []
    for _ in range(3):
        await keeping.sweep.sweep()
        left.append(len(await keeping.files()))
    assert left == [6, 2, 0]
    assert keeping.sweep._after == ""


async def test_a_sweep_that_broke_off_goes_on_where_it_was(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "KEYS_AT_ONCE", 2)
    keys = [await keeping.file(new_key(new_id(), 1)) for _ in range(6)]
    folders = sorted(key.partition("/")[0] for key in keys)
    looked_at: list[str] = []
    remove = keeping.sweep._remove_orphans

    async def breaks(some: Any) -> int:
        if len(looked_at) == 4:
            looked_at.append("")
            raise BlobsUnavailable("away")
        looked_at.extend(key.partition("/")[0] for key in some)
        return await remove(some)

    monkeypatch.setattr(keeping.sweep, "_remove_orphans", breaks)
    with pytest.raises(BlobsUnavailable):
        await keeping.sweep.sweep()
    await keeping.sweep.sweep()
    assert looked_at == [*folders[:4], "", *folders[4:]]


async def test_only_one_instance_sweeps(keeping: Keeping) -> None:
    await keeping.file(new_key(new_id(), 1))
    async with keeping.db.alone(SWEEP_LOCK) as mine:
        assert mine
        await keeping.sweep.sweep()
        assert len(await keeping.files()) == 1
    async with asyncio.timeout(10):
        while await keeping.files():
            await keeping.sweep.sweep()


async def test_a_sweep_of_a_store_that_is_not_there_yet_finds_nothing(keeping: Keeping) -> None:
    await keeping.sweep.sweep()
    assert keeping.counts.removed_orphans == 0
