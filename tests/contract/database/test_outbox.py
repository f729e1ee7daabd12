"""The relay's statements: lease, stamp, release; and forgetting what was published."""

import asyncio
from itertools import chain
from uuid import UUID

import pytest

from shared.database import outbox
from shared.database.claims import put_back
from shared.database.outbox import (
    PUBLISH_LEASE,
    Unpublished,
    forget_dead_letters,
    forget_queue,
    lease_unpublished,
    release_unpublished,
    stamp_published,
)
from shared.database.pool import Database
from shared.states import JobState
from tests.contract.database.stage import Stage
from tests.unsteady_database import UnsteadyDatabase

NOT_QUEUED = pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])


async def abandoned(stage: Stage, **changes: object) -> UUID:
    """A job whose submitter died before it published: the fast path's lease is over."""
    job_id = await stage.queued(**changes)
    await stage.change(job_id, "publish_leased_until = now() - interval '1 s'")
    return job_id


async def leased(db: Database, limit: int = 100) -> list[UUID]:
    return [row.id for row in await lease_unpublished(db, limit)]


# --- lease


async def test_the_sweep_takes_what_nobody_published(db: Database, stage: Stage) -> None:
    """Rule 2: queued, unpublished, due, and no relay at it; with all that a message needs."""
    job_id = await abandoned(stage, queue="q", model="m", traceparent="00-1-2-01")
    assert await lease_unpublished(db, 100) == [Unpublished(job_id, 1, "q", "m", "inference", "00-1-2-01")]


async def test_a_young_row_is_left_to_the_fast_path(db: Database, stage: Stage) -> None:
    """Rule 3: its submitter is about to publish it."""
    await stage.queued()
    assert await leased(db) == []


async def test_leased_rows_are_not_leased_twice(db: Database, stage: Stage) -> None:
    """Rule 3: `publish_leased_until` keeps other relays off for 30 s, with no lock held."""
    job_id = await abandoned(stage)
    assert await leased(db) == [job_id]
    assert await leased(db) == []
    assert PUBLISH_LEASE - 1 < await stage.until(job_id, "publish_leased_until") <= PUBLISH_LEASE == 30.0


async def test_a_lease_that_is_over_is_taken_over(db: Database, stage: Stage) -> None:
    """Rule 3: a relay that died between its lease and its stamp delays a job, no more."""
    job_id = await abandoned(stage)
    await leased(db)
    await stage.change(job_id, "publish_leased_until = now() - interval '1 ms'")
    assert await leased(db) == [job_id]


async def test_a_row_without_a_lease_is_taken(db: Database, stage: Stage) -> None:
    """Rule 2: as every re-entry into queued leaves it."""
    job_id = await stage.published()
    await put_back(db, [(job_id, 1)])
    await stage.change(job_id, "available_at = now()")
    assert await leased(db) == [job_id]


async def test_a_published_row_is_not_taken(db: Database, stage: Stage) -> None:
    await stage.published()
    assert await leased(db) == []


async def test_a_row_that_is_not_due_is_not_taken(db: Database, stage: Stage) -> None:
    """Rule 2: `available_at <= now`."""
    job_id = await abandoned(stage)
    await stage.change(job_id, "available_at = now() + interval '1 s'")
    assert await leased(db) == []


@NOT_QUEUED
async def test_only_queued_rows_are_taken(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 2: a job claimed, cancelled or expired before it was stamped is not published again."""
    job_id = await stage.in_state(state, worker)
    await stage.change(job_id, "published_at = NULL, publish_leased_until = NULL")
    assert await leased(db) == []


async def test_the_longest_due_come_first_up_to_the_limit(db: Database, stage: Stage) -> None:
    ids = [await abandoned(stage) for _ in range(4)]
    for age, job_id in enumerate(ids):
        await stage.change(job_id, f"available_at = now() - interval '{age} min'")
    assert set(await leased(db, 2)) == {ids[3], ids[2]}
    assert set(await leased(db, 2)) == {ids[1], ids[0]}


async def test_two_relays_at_once_share_the_work(db: Database, stage: Stage) -> None:
    """Rule 3: each row goes to one of them."""
    ids = [await abandoned(stage) for _ in range(40)]
    taken = await asyncio.gather(*(leased(db, 10) for _ in range(4)))
    assert sorted(chain.from_iterable(taken)) == ids


async def test_a_relay_does_not_wait_for_rows_that_are_locked(db: Database, stage: Stage) -> None:
    """Rule 3: SKIP LOCKED: one slow statement does not keep the sweep from the rest."""
    locked, free = await abandoned(stage), await abandoned(stage)
    async with stage.holding():
        await stage.lock(locked)
        assert await leased(db) == [free]


# --- stamp and release


async def test_the_stamp_says_when_it_was_published(db: Database, stage: Stage) -> None:
    job_id = await stage.queued()
    assert await stamp_published(db, [(job_id, 1)]) == 1
    assert -1.0 < await stage.until(job_id, "published_at") <= 0.0
    assert (await stage.row(job_id))["publish_leased_until"] is None


async def test_a_late_stamp_does_not_mark_a_newer_entry(db: Database, stage: Stage) -> None:
    """Rule 2: the stamp requires the same publish_no, or the newer entry would never be published."""
    old, same = await stage.queued(), await stage.queued()
    await put_back(db, [(old, 1)])
    assert await stamp_published(db, [(old, 1), (same, 1)]) == 1
    assert (await stage.row(old))["published_at"] is None
    assert await stamp_published(db, [(old, 2)]) == 1


@NOT_QUEUED
async def test_only_queued_rows_are_stamped(state: JobState, db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 2: a job claimed before its stamp needs none."""
    job_id = await stage.in_state(state, worker)
    await stage.change(job_id, "published_at = NULL")
    assert await stamp_published(db, [(job_id, 1)]) == 0
    assert (await stage.row(job_id))["published_at"] is None


async def test_a_second_stamp_does_not_make_it_look_younger(db: Database, stage: Stage) -> None:
    """Rule 11 counts from the first publication of an entry."""
    job_id = await stage.published()
    first = (await stage.row(job_id))["published_at"]
    assert await stamp_published(db, [(job_id, 1)]) == 0
    assert (await stage.row(job_id))["published_at"] == first


async def test_a_released_row_is_taken_at_once(db: Database, stage: Stage) -> None:
    """Rule 3: a relay that could not publish does not make others wait for its lease."""
    job_id = await abandoned(stage)
    await leased(db)
    assert await release_unpublished(db, [(job_id, 1)]) == 1
    assert await leased(db) == [job_id]


async def test_a_late_release_does_not_free_a_newer_entry(db: Database, stage: Stage) -> None:
    """Rule 2: another relay is publishing that one."""
    job_id = await stage.published()
    await put_back(db, [(job_id, 1)])
    await stage.change(job_id, "available_at = now()")
    assert await leased(db) == [job_id]
    assert await release_unpublished(db, [(job_id, 1)]) == 0
    assert (await stage.row(job_id))["publish_leased_until"] is not None


async def test_stamping_and_releasing_are_no_visible_changes(db: Database, stage: Stage) -> None:
    job_id = await abandoned(stage)
    await leased(db)
    await release_unpublished(db, [(job_id, 1)])
    await stamp_published(db, [(job_id, 1)])
    await forget_queue(db, "echo")
    assert (await stage.row(job_id))["revision"] == 1


# --- forgetting publications


async def test_a_dead_letter_s_job_is_published_again(db: Database, stage: Stage) -> None:
    """Rules 2 and 5: published_at cleared, publish_no raised, and nothing else: it is not failed, nor charged."""
    job_id = await stage.published()
    before = dict(await stage.row(job_id))
    assert await forget_dead_letters(db, [(job_id, 1)]) == 1
    assert dict(await stage.row(job_id)) == before | {"published_at": None, "publish_no": 2}
    assert await leased(db) == [job_id]


async def test_a_dead_letter_counts_also_before_the_stamp(db: Database, stage: Stage) -> None:
    """Rule 2: stamped or not: the stamp that is still to come must not mark the entry that follows."""
    job_id = await stage.queued()
    assert await forget_dead_letters(db, [(job_id, 1)]) == 1
    row = await stage.row(job_id)
    assert (row["publish_no"], row["publish_leased_until"]) == (2, None)
    assert await stamp_published(db, [(job_id, 1)]) == 0


async def test_an_old_dead_letter_has_nothing_to_say(db: Database, stage: Stage) -> None:
    """Rule 2: only when its publish_no is the row's."""
    job_id = await stage.published()
    await forget_dead_letters(db, [(job_id, 1)])
    await stamp_published(db, [(job_id, 2)])
    before = await stage.row(job_id)
    assert await forget_dead_letters(db, [(job_id, 1)]) == 0
    assert await stage.row(job_id) == before


@NOT_QUEUED
async def test_a_dead_letter_of_a_job_that_does_not_wait_changes_nothing(
    state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 5: the consumer of dead letters never fails a job, nor takes it from its worker."""
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    assert await forget_dead_letters(db, [(job_id, before["publish_no"])]) == 0
    assert await stage.row(job_id) == before


async def test_a_subscription_made_anew_clears_its_queue(db: Database, stage: Stage) -> None:
    """Rules 2 and 11: all that waits in it, stamped or being published; other queues are left alone."""
    stamped, young, other = await stage.published(), await stage.queued(), await stage.published(queue="other")
    assert await forget_queue(db, "echo") == 2
    for job_id in (stamped, young):
        row = await stage.row(job_id)
        assert (row["published_at"], row["publish_leased_until"], row["publish_no"]) == (None, None, 2)
    assert (await stage.row(other))["publish_no"] == 1
    assert await stamp_published(db, [(young, 1)]) == 0


async def test_a_deep_queue_is_cleared_in_portions(db: Database, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job once, and no statement that grows with the backlog."""
    monkeypatch.setattr(outbox, "FORGOTTEN_AT_ONCE", 2)
    await stage.jobs(5)
    unsteady = UnsteadyDatabase(db)
    assert await forget_queue(unsteady, "echo") == 5
    assert {row["publish_no"] for row in await stage.rows()} == {2}
    assert unsteady.asked["forget_queue"] == 3


async def test_a_portion_of_a_queue_that_was_claimed_meanwhile_is_not_its_end(
    db: Database, stage: Stage, worker: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it found without a lock may be a worker's when it has the lock: then the next portion comes."""
    monkeypatch.setattr(outbox, "FORGOTTEN_AT_ONCE", 1)
    first, second = sorted([await stage.published(), await stage.published()])
    async with stage.holding():
        await stage.change(first, f"state = 'running', attempt = 1, worker = '{worker}'")
        forgetting = asyncio.create_task(forget_queue(db, "echo"))
        await stage.until_waiting()
    assert await forgetting == 1
    assert [(await stage.row(job_id))["publish_no"] for job_id in (first, second)] == [1, 2]


@NOT_QUEUED
async def test_clearing_a_queue_touches_only_what_waits(
    state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    job_id = await stage.in_state(state, worker)
    before = await stage.row(job_id)
    assert await forget_queue(db, "echo") == 0
    assert await stage.row(job_id) == before
