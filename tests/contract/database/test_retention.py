"""Two-step retention: the result first, then the row; uploads that nobody refers to; which files are in use."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Uuid, bindparam, insert

from shared.database import retention
from shared.database.entries import Ending
from shared.database.moves import retry_job
from shared.database.pool import Database
from shared.database.reading import get_job
from shared.database.retention import (
    Purged,
    purge_results,
    purge_rows,
    purge_uploads,
    results_in_use,
    try_lock,
    uploads_in_use,
)
from shared.database.settlement import Settlement, settle
from shared.database.statement import Statement
from shared.database.submission import insert_jobs
from shared.database.tables import job_uploads
from shared.errors import DatabaseRefused
from shared.job import Job
from shared.states import RETRYABLE, JobState
from tests.contract.database.stage import OWNER, Stage, new_id, new_job

DUE = "purge_at = now() - interval '1 s'"
ROW_DUE = f"{DUE}, finished_at = now() - row_retention - interval '1 s'"


async def results(db: Database) -> Purged:
    async with db.transaction() as tx:
        return await purge_results(tx)


async def rows(db: Database) -> Purged:
    async with db.transaction() as tx:
        return await purge_rows(tx)


async def uploads(db: Database, age: float = 3600.0) -> Purged:
    async with db.transaction() as tx:
        return await purge_uploads(tx, age)


async def succeeded(stage: Stage, worker: UUID, key: str | None = None, **changes: Any) -> UUID:
    """With a result in its row, or in the blob `key`."""
    held = await stage.running(worker, **changes)
    result: dict[str, Any] = {"result": '{"a": 1}'}
    if key:
        result = {"result_key": key, "result_size": 2_000_000, "result_sha256": "ab" * 32}
    await settle(stage.db, [Settlement(*held, Ending.SUCCEEDED, **result)])
    return held[0]


async def upload(stage: Stage, *, age: str = "2 h") -> UUID:
    upload_id = new_id()
    await stage.connection.execute(
        "INSERT INTO uploads (id, owner, key, size, content_type, sha256, created_at) "
        f"VALUES ($1, $2, $3, 1, 'image/png', '', now() - interval '{age}')",
        *(upload_id, OWNER, f"uploads/{upload_id}"),
    )
    return upload_id


_REFER = Statement(
    "refer", insert(job_uploads).values(job_id=bindparam("job", type_=Uuid), upload_id=bindparam("upload", type_=Uuid))
)


async def refer(db: Database, job_id: UUID, upload_id: UUID) -> None:
    await db.fetch(_REFER, job=job_id, upload=upload_id)


@pytest.fixture(autouse=True)
async def no_uploads(stage: Stage) -> None:
    await stage.connection.execute("DELETE FROM job_uploads; DELETE FROM uploads")


async def job_of(db: Database, job_id: UUID) -> Job:
    job = await get_job(db, OWNER, job_id)
    assert job is not None
    return job


# --- results


@pytest.mark.parametrize("key", [None, "a/1/b"])
async def test_a_result_goes_first_and_its_job_stays(key: str | None, db: Database, stage: Stage, worker: UUID) -> None:
    job_id = await succeeded(stage, worker, key)
    before = await job_of(db, job_id)
    await stage.change(job_id, DUE)

    purged = await results(db)

    job = await job_of(db, job_id)
    assert (purged.ids, purged.keys) == ([job_id], [key] if key else [])
    assert (job.state, job.result, job.result_key, job.result_size) == (JobState.SUCCEEDED, None, None, None)
    assert (job.revision, job.finished_at) == (before.revision + 1, before.finished_at)
    assert job.finished_at is not None
    assert job.purge_at == job.finished_at + timedelta(days=30)
    assert await results(db) == Purged([], [])
    assert (await rows(db)).ids == []


async def test_each_job_keeps_what_it_was_promised(db: Database, stage: Stage, worker: UUID) -> None:
    """The retention of its submission, whatever the settings say today."""
    job_id = await succeeded(stage, worker, result_retention=60.0, row_retention=120.0)
    assert 55 < await stage.until(job_id, "purge_at") <= 60
    await stage.change(job_id, DUE)
    await results(db)
    assert 115 < await stage.until(job_id, "purge_at") <= 120


async def test_what_is_not_due_stays(db: Database, stage: Stage, worker: UUID) -> None:
    await succeeded(stage, worker)
    assert (await results(db)).ids == []
    assert (await rows(db)).ids == []


async def test_who_listens_is_told_of_a_purged_result(db: Database, stage: Stage, worker: UUID) -> None:
    """Caches must drop it."""
    job_id = await succeeded(stage, worker)
    await stage.change(job_id, DUE)
    heard = await heard_of(stage, results(db))
    assert heard == [str(job_id)]


async def heard_of(stage: Stage, work: Any) -> list[str]:
    payloads: asyncio.Queue[str] = asyncio.Queue()
    listener = lambda *given: payloads.put_nowait(given[3])  # noqa: E731
    await stage.connection.add_listener("torchrelay_jobs", listener)
    try:
        await work
        return [await asyncio.wait_for(payloads.get(), 5)]
    finally:
        await stage.connection.remove_listener("torchrelay_jobs", listener)


# --- rows


@pytest.mark.parametrize("state", sorted(RETRYABLE))
async def test_what_has_no_result_goes_as_a_row(state: JobState, db: Database, stage: Stage) -> None:
    job_id = await stage.ended(state)
    await stage.change(job_id, DUE)
    assert (await results(db)).ids == []
    assert (await rows(db)).ids == [job_id]
    assert await stage.rows() == []


async def test_a_result_that_is_to_be_kept_as_long_as_its_row_goes_with_it(
    db: Database, stage: Stage, worker: UUID
) -> None:
    job_id = await succeeded(stage, worker, "a/1/b", result_retention=100.0, row_retention=50.0)
    assert await stage.until(job_id, "purge_at") < 51
    await stage.change(job_id, ROW_DUE)
    assert (await results(db)).ids == []
    assert await rows(db) == Purged([job_id], ["a/1/b"])


async def test_what_hangs_on_a_row_goes_with_it(db: Database, stage: Stage) -> None:
    upload_id = await upload(stage)
    job_id = await stage.ended(JobState.FAILED, idempotency_key="k", idempotency_hash="h")
    await refer(db, job_id, upload_id)
    await stage.connection.execute(
        "INSERT INTO events (job_id, seq, type, at, attempt, data) VALUES ($1, 2, 'log', now(), 1, '{}')", job_id
    )
    await stage.connection.execute(
        "INSERT INTO webhook_deliveries (id, job_id, owner, event, url, host, job, next_try_at, created_at) "
        "VALUES ($1, $1, 'local', 'job.failed', 'https://x/', 'x', '{}', now(), now())",
        job_id,
    )
    await stage.change(job_id, DUE)
    assert (await rows(db)).ids == [job_id]
    for table in ("events", "webhook_deliveries", "job_uploads"):
        assert await stage.connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert await stage.queued(idempotency_key="k", idempotency_hash="h")


async def test_rows_with_many_events_go_in_smaller_portions(
    db: Database, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction is short; in the end all are gone."""
    ids = [await stage.ended(JobState.FAILED) for _ in range(4)]
    for job_id in ids:
        await stage.change(job_id, f"{DUE}, last_seq = {retention.EVENTS_PER_TICK // 2 + 1}")
    portions = [len((await rows(db)).ids) for _ in range(3)]
    assert portions == [2, 2, 0]


async def test_only_so_many_go_at_once(db: Database, stage: Stage) -> None:
    more = retention.ROWS_PER_TICK + 5
    await insert_jobs(db, [new_job() for _ in range(more)])
    await stage.connection.execute(f"UPDATE jobs SET state = 'cancelled', finished_at = now(), {DUE}")
    assert [len((await rows(db)).ids) for _ in range(3)] == [retention.ROWS_PER_TICK, 5, 0]


# --- what may get in its way


@pytest.mark.parametrize("state", sorted(RETRYABLE))
async def test_a_retry_that_comes_first_is_not_purged(state: JobState, db: Database, stage: Stage) -> None:
    """Rule 2: entering `queued` clears `purge_at`, and the purge looks again once it has the lock."""
    job_id = await stage.ended(state)
    await stage.change(job_id, DUE)
    async with stage.holding():
        await stage.lock(job_id)
        retrying = asyncio.create_task(retry_job(db, OWNER, job_id))
        await stage.until_waiting(1)
        purging = asyncio.create_task(rows(db))
        await stage.until_waiting(2)
    answer = await retrying
    assert answer is not None
    assert answer[1]
    assert (await purging).ids == []
    assert await stage.state(job_id) is JobState.QUEUED


async def test_a_retry_that_comes_too_late_finds_nothing(db: Database, stage: Stage) -> None:
    job_id = await stage.ended(JobState.FAILED)
    await stage.change(job_id, DUE)
    await rows(db)
    assert await retry_job(db, OWNER, job_id) is None


async def test_a_late_settlement_after_the_purge_finds_zero_rows(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 1: neither brings the row back nor writes a second result into it."""
    held = await stage.running(worker)
    await settle(db, [Settlement(*held, Ending.SUCCEEDED, result="1")])
    await stage.change(held[0], DUE)
    await results(db)
    assert await settle(db, [Settlement(*held, Ending.SUCCEEDED, result="2")]) == {}
    assert (await stage.row(held[0]))["result"] is None
    await stage.change(held[0], ROW_DUE)
    await rows(db)
    assert await settle(db, [Settlement(*held, Ending.SUCCEEDED, result="2")]) == {}
    assert await stage.rows() == []


async def test_two_purges_never_run_at_once(db: Database) -> None:
    """Rule 12: the lock goes with the transaction."""
    async with db.transaction() as first, db.transaction() as second:
        assert await try_lock(first)
        assert not await try_lock(second)
    async with db.transaction() as third:
        assert await try_lock(third)


# --- uploads


async def test_an_old_upload_that_nobody_refers_to_goes(db: Database, stage: Stage) -> None:
    old, _young = await upload(stage), await upload(stage, age="30 min")
    assert await uploads(db) == Purged([old], [f"uploads/{old}"])
    assert await uploads(db) == Purged([], [])


async def test_an_upload_stays_as_long_as_a_job_refers_to_it(db: Database, stage: Stage) -> None:
    upload_id = await upload(stage)
    job_id = await stage.ended(JobState.FAILED)
    await refer(db, job_id, upload_id)
    assert (await uploads(db)).ids == []
    await stage.change(job_id, DUE)
    await rows(db)
    assert (await uploads(db)).ids == [upload_id]


async def test_a_reference_that_is_being_made_keeps_its_upload(db: Database, stage: Stage) -> None:
    """Its transaction holds the upload's row: it is left alone, and nobody waits."""
    upload_id = await upload(stage)
    job_id = await stage.queued()
    async with stage.holding():
        await stage.connection.execute("INSERT INTO job_uploads VALUES ($1, $2)", job_id, upload_id)
        assert (await uploads(db)).ids == []
    assert (await uploads(db)).ids == []


async def test_a_reference_that_was_committed_just_before_the_lock_keeps_its_upload(db: Database, stage: Stage) -> None:
    """What the first statement saw may be old by the time it has the lock; the second looks again."""
    upload_id = await upload(stage)
    job_id = await stage.queued()
    async with db.transaction() as tx:
        seen = [row["id"] for row in await tx.fetch(retention._LOCK_UPLOADS, age=3600.0)]
    assert seen == [upload_id]
    await refer(db, job_id, upload_id)
    async with db.transaction() as tx:
        assert await tx.fetch(retention._PURGE_UPLOADS, ids=seen) == []


async def test_a_reference_that_comes_too_late_is_refused(db: Database, stage: Stage) -> None:
    """The foreign key: no job may refer to what is gone."""
    upload_id, job_id = await upload(stage), await stage.queued()
    async with db.transaction() as tx:
        assert (await purge_uploads(tx, 3600.0)).ids == [upload_id]
        referring = asyncio.create_task(refer(db, job_id, upload_id))
        await stage.until_waiting()
    with pytest.raises(DatabaseRefused):
        await referring


# --- which files are in use


async def test_a_file_is_in_use_while_a_row_points_at_it(db: Database, stage: Stage, worker: UUID) -> None:
    job_id = await succeeded(stage, worker, "its key")
    keys = {"its key": (job_id, 1), "another try": (job_id, 1), "of a job that is gone": (new_id(), 1)}
    assert await results_in_use(db, keys) == {"its key"}


async def test_a_file_of_an_attempt_that_holds_its_job_may_be_settled_any_moment(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 7: after an outage of days the settlement still comes."""
    job_id, attempt = await stage.running(worker)
    keys = {"of this attempt": (job_id, attempt), "of an earlier one": (job_id, attempt - 1)}
    assert await results_in_use(db, keys) == {"of this attempt"}
    await settle(db, [Settlement(job_id, attempt, Ending.FAILED)])
    assert await results_in_use(db, keys) == set()


async def test_an_upload_s_file_is_in_use_while_there_is_a_row(db: Database, stage: Stage) -> None:
    upload_id = await upload(stage)
    assert await uploads_in_use(db, [upload_id, new_id()]) == {upload_id}
