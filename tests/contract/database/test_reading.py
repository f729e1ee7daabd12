"""Reading jobs: one, several, a queue's head; and that documents come back as they were sent."""

from uuid import UUID

import pytest

from shared.database.claims import claim
from shared.database.entries import Ending
from shared.database.pool import Database
from shared.database.reading import get_input, get_job, get_jobs, get_jobs_of, queue_head
from shared.database.settlement import Settlement, settle
from shared.states import JobState
from tests.contract.database.stage import OWNER, Stage, new_id

# Documents that a parser, or jsonb, would not bring back as they were.
DOCUMENTS = {
    "order of keys": '{"b": 1, "a": 2, "aa": 3}',
    "a key twice": '{"a": 1, "a": 2}',
    "escaped NUL": '{"text": "a\\u0000b"}',
    "half a surrogate pair, escaped": '"\\ud800"',
    "big numbers": "[123456789012345678901234567890, 1e400, 0.1000, -0.0]",
    "spaces": '{ "a" :\t1 ,\n "b":[ ] }  ',
    "not ASCII": '"ä€𝄞"',
    "a scalar": "null",
    "long": f'"{"x" * 300_000}"',
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
async def test_inputs_metadata_and_results_are_carried_verbatim(
    document: str, db: Database, stage: Stage, worker: UUID
) -> None:
    """Not one character differs from submission through the claim to the answer."""
    job_id = await stage.published(input=document, metadata=document)
    (mine,) = await claim(db, worker, "echo", 1, [job_id])
    await settle(db, [Settlement(job_id, 1, Ending.SUCCEEDED, result=document)])
    job = await get_job(db, OWNER, job_id)
    assert job is not None
    assert mine.input == await get_input(db, OWNER, job_id) == job.metadata == job.result == document


async def test_a_job_is_read_by_its_owner_only(db: Database, stage: Stage) -> None:
    """The owner stands in the statement itself: somebody else's job is not there."""
    job_id = await stage.queued(owner="ada")
    job = await get_job(db, "ada", job_id)
    assert job is not None
    assert (job.id, job.owner) == (job_id, "ada")
    assert await get_job(db, "bob", job_id) is None
    assert await get_input(db, "bob", job_id) is None


async def test_several_jobs_of_several_owners_are_read_at_once(db: Database, stage: Stage) -> None:
    """Each by its owner only, in the order asked for, and as often."""
    hers, his = await stage.queued(owner="ada"), await stage.queued(owner="bob")
    wanted = [("bob", his), ("ada", hers), ("bob", hers), ("ada", new_id()), ("ada", hers)]
    found = await get_jobs_of(db, wanted)
    assert [one and (one.owner, one.id) for one in found] == [wanted[0], wanted[1], None, None, wanted[1]]
    assert await get_jobs_of(db, []) == []


async def test_what_is_not_there_is_none(db: Database) -> None:
    assert await get_job(db, OWNER, new_id()) is None
    assert await get_input(db, OWNER, new_id()) is None


async def test_waiters_read_many_whoever_owns_them(db: Database, stage: Stage) -> None:
    mine, other = await stage.queued(owner="ada"), await stage.queued(owner="bob")
    found = await get_jobs(db, [mine, other, new_id()])
    assert {job.id for job in found} == {mine, other}
    assert await get_jobs(db, []) == []


async def test_the_head_of_a_queue_is_what_waits_in_it_the_oldest_first(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Published or not, whoever owns it, whatever the model: first in, first out by queue."""
    await stage.running(worker)
    await stage.queued(queue="other")
    ids = [await stage.published(), await stage.queued(owner="ada"), await stage.published(model="other")]
    await stage.ended(JobState.CANCELLED)
    assert await queue_head(db, "echo") == ids
    assert await queue_head(db, "echo", limit=2) == ids[:2]
