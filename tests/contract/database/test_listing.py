"""Pages of jobs: every filter by every way that it is sought, and what a cursor promises while rows come, go and change."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from uuid import UUID

import pytest

from shared.database.entries import Ending
from shared.database.listing import JobFilter, list_jobs
from shared.database.pool import Database
from shared.database.settlement import Settlement, settle
from shared.database.submission import insert_jobs
from shared.job import Job
from shared.states import JobState, Task
from tests.contract.database.stage import OWNER, Stage, new_id, new_job

EVERYTHING = JobFilter()
FAILED = JobFilter(JobState.FAILED)
BATCH = new_id()
ERROR = """'{"code": "model_error", "message": "no", "retryable": false}'"""

Between = Callable[[int], Awaitable[None]]  # given the number of the page that was just read


async def walk(
    db: Database,
    wanted: JobFilter = EVERYTHING,
    *,
    owner: str | None = OWNER,
    limit: int = 2,
    between: Between | None = None,
) -> list[UUID]:
    """The ids on all pages, one page after the other."""
    ids: list[UUID] = []
    number = 0
    while page := await list_jobs(db, owner, wanted, limit, before=ids[-1] if ids else None):
        assert len(page) <= limit
        ids += [job.id for job in page]
        number += 1
        if between is not None:
            await between(number)
    return ids


async def test_a_list_is_newest_first_without_results(db: Database, stage: Stage, worker: UUID) -> None:
    first, second = await stage.running(worker), await stage.queued()
    await settle(db, [Settlement(*first, Ending.SUCCEEDED, result='"large"')])
    listed = await list_jobs(db, OWNER, EVERYTHING, 10)
    assert [(job.id, job.state) for job in listed] == [(second, JobState.QUEUED), (first[0], JobState.SUCCEEDED)]
    assert [job.result for job in listed] == [None, None]


async def test_a_list_of_failures_says_why(db: Database, stage: Stage) -> None:
    await stage.ended(JobState.FAILED)
    (job,) = await list_jobs(db, OWNER, EVERYTHING, 10)
    assert job.error is not None
    assert job.error.message == "no"


async def test_a_list_is_of_its_owner_only(db: Database, stage: Stage, worker: UUID) -> None:
    """The owner stands in the statement itself, in each of them."""
    for state in JobState:
        await stage.in_state(state, worker, owner="ada", batch_id=BATCH)
    for state, batch_id in product((None, *JobState), (None, BATCH)):
        assert await list_jobs(db, "bob", JobFilter(state, batch_id=batch_id), 10) == []
        assert await list_jobs(db, "ada", JobFilter(state, batch_id=batch_id), 10) != []


@pytest.fixture
async def mixed(db: Database, stage: Stage, worker: UUID) -> list[Job]:
    """One of each kind: of states, owners, models, tasks and queues, in a batch or not. Newest first."""
    kinds = product(("echo", "digits"), Task, (None, BATCH), (OWNER, "ada"), ("echo", "digits"), JobState)
    for model, task, batch_id, owner, queue, state in kinds:
        await stage.in_state(state, worker, model=model, task=task, batch_id=batch_id, owner=owner, queue=queue)
    everything = await list_jobs(db, None, EVERYTHING, 1000)
    assert [job.id for job in everything] == [row["id"] for row in await stage.rows()][::-1]
    return everything


def filters() -> Iterator[JobFilter]:
    for given in product((None, *JobState), (None, "digits"), (None, Task.TRAINING), (None, BATCH)):
        yield JobFilter(*given)


def fits(job: Job, wanted: JobFilter) -> bool:
    return all(getattr(wanted, name) in {None, getattr(job, name)} for name in ("state", "model", "task", "batch_id"))


async def test_pages_of_every_filter_hold_what_fits_newest_first(db: Database, mixed: list[Job]) -> None:
    """For each owner, and for those who see everybody's."""
    for owner, wanted in product((OWNER, "ada", None), filters()):
        expected = [job.id for job in mixed if owner in {None, job.owner} and fits(job, wanted)]
        assert expected
        found = await walk(db, wanted, owner=owner, limit=max(1, len(expected) // 3))
        assert found == expected, (owner, wanted)


async def test_what_arrives_meanwhile_does_not_shift_the_pages(db: Database, stage: Stage) -> None:
    ids = [job.id for job in await stage.jobs(5)]

    async def more(_: int) -> None:
        await stage.jobs(3)

    assert await walk(db, between=more) == ids[::-1]


async def test_what_is_committed_late_with_a_smaller_id_hides_nothing(db: Database, stage: Stage) -> None:
    """Ids are drawn before they are committed. Whoever comes late behind the cursor is listed, before it is not."""
    ids = [new_id() for _ in range(8)]
    early, behind, before = ids[1::2], ids[2], ids[6]
    await insert_jobs(db, [new_job(id=one) for one in early])

    async def late(page: int) -> None:
        if page == 1:  # which ended with ids[5]
            await insert_jobs(db, [new_job(id=before), new_job(id=behind)])

    assert await walk(db, between=late) == [ids[7], ids[5], ids[3], behind, ids[1]]
    assert await walk(db) == sorted([*early, behind, before], reverse=True)


async def test_a_filter_is_asked_of_each_page_anew(db: Database, stage: Stage) -> None:
    """What comes to fit behind the cursor is listed, what no longer fits is not, and nothing is listed twice."""
    first, comes, second, goes, third, ahead, fourth = [
        await stage.ended(JobState.CANCELLED if number in {1, 5} else JobState.FAILED) for number in range(7)
    ]

    async def change(page: int) -> None:
        match page:
            case 1:  # [fourth, third]
                for job_id in (comes, ahead):
                    await stage.change(job_id, f"state = 'failed', error = {ERROR}")
                for job_id in (goes, fourth):
                    await stage.change(job_id, "state = 'cancelled', error = NULL")
            case 2:  # [second, comes]
                for job_id in (goes, fourth):
                    await stage.change(job_id, f"state = 'failed', error = {ERROR}")

    assert await walk(db, FAILED, between=change) == [fourth, third, second, comes, first]


@pytest.mark.parametrize("state", JobState)
async def test_a_cursor_holds_after_its_job_has_gone(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    """It is a place, not a row: deleted, or in another state by now."""
    ids = [await stage.in_state(state, worker) for _ in range(5)]
    gone = iter((ids[3], ids[1]))

    async def delete(_: int) -> None:
        if last := next(gone, None):
            await stage.connection.execute("DELETE FROM jobs WHERE id = $1", last)

    assert await walk(db, JobFilter(state), between=delete) == ids[::-1]
