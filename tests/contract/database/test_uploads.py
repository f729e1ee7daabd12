"""Uploads, and the jobs that refer to them."""

from uuid import UUID

import pytest

from shared.database.claims import claim
from shared.database.pool import Database
from shared.database.submission import insert_each, insert_jobs
from shared.database.uploads import find_uploads, insert_upload
from shared.errors import AlreadySubmitted, ReferenceGone
from shared.uploads import Readable, Upload, blob_key
from tests.contract.database.stage import OWNER, Stage, new_id, new_job


async def uploaded(db: Database, owner: str = OWNER) -> UUID:
    upload_id = new_id()
    await insert_upload(db, Upload(upload_id, owner, blob_key(upload_id), 3, "text/plain", "ab" * 32))
    return upload_id


async def referring(stage: Stage) -> set[tuple[UUID, UUID]]:
    return {tuple(row) for row in await stage.connection.fetch("SELECT job_id, upload_id FROM job_uploads")}


async def test_an_upload_is_found_by_its_owner_only(db: Database) -> None:
    mine, others = await uploaded(db), await uploaded(db, "bob")
    found = await find_uploads(db, OWNER, [mine, others, new_id()])
    assert found == {mine: Upload(mine, OWNER, f"uploads/{mine}", 3, "text/plain", "ab" * 32)}


async def test_what_a_job_refers_to_is_stored_with_it(db: Database, stage: Stage) -> None:
    one, two = await uploaded(db), await uploaded(db)
    jobs = [new_job(uploads=(one, two)), new_job(), new_job(uploads=(one,))]
    assert [job.id for job in await insert_jobs(db, jobs)] == [job.id for job in jobs]
    assert await referring(stage) == {(jobs[0].id, one), (jobs[0].id, two), (jobs[2].id, one)}


async def test_an_upload_that_is_gone_undoes_all_that_is_stored_together(db: Database, stage: Stage) -> None:
    with pytest.raises(ReferenceGone):
        await insert_jobs(db, [new_job(), new_job(uploads=(new_id(),))])
    assert await stage.connection.fetchval("SELECT count(*) FROM jobs") == 0


async def test_a_key_that_is_taken_stores_no_reference(db: Database, stage: Stage) -> None:
    upload = await uploaded(db)
    keyed = {"idempotency_key": "k", "idempotency_hash": "h", "uploads": (upload,)}
    first, again, other = new_job(**keyed), new_job(**keyed), new_job(uploads=(upload,))
    await insert_jobs(db, [first])
    assert [job is None for job in await insert_each(db, [again, other])] == [True, False]
    with pytest.raises(AlreadySubmitted):
        await insert_jobs(db, [new_job(**keyed), new_job(uploads=(upload,))])
    assert await referring(stage) == {(first.id, upload), (other.id, upload)}


async def test_a_batch_with_a_key_has_its_references(db: Database, stage: Stage) -> None:
    upload = await uploaded(db)
    jobs = [new_job(idempotency_key="k", idempotency_hash="h"), new_job(uploads=(upload,))]
    await insert_jobs(db, jobs)
    assert await referring(stage) == {(jobs[1].id, upload)}


async def test_an_upload_stays_as_long_as_a_job_refers_to_it(db: Database, stage: Stage) -> None:
    upload = await uploaded(db)
    (job,) = await insert_jobs(db, [new_job(uploads=(upload,))])
    with pytest.raises(Exception, match="job_uploads"):
        await stage.connection.execute("DELETE FROM uploads WHERE id = $1", upload)
    await stage.connection.execute("DELETE FROM jobs WHERE id = $1", job.id)
    assert await referring(stage) == set()
    assert await stage.connection.execute("DELETE FROM uploads WHERE id = $1", upload) == "DELETE 1"


async def test_a_claim_says_which_uploads_the_job_may_read_and_what_they_must_be(db: Database, stage: Stage) -> None:
    worker, one, two = await stage.worker(), await uploaded(db), await uploaded(db)
    with_two, without = await stage.queued(uploads=(one, two)), await stage.queued()
    claimed = {one.id: set(one.uploads) for one in await claim(db, worker, "echo", 1, [with_two, without])}
    assert claimed == {with_two: {Readable(one, 3, "ab" * 32), Readable(two, 3, "ab" * 32)}, without: set()}
