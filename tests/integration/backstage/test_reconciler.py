"""The reconciler's ticks (rules 6, 7, 11 and 12) on a real database."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from api_service import reconciler as reconciler_module
from api_service.reconciler import Contact, Reconciler
from shared.database.pool import Transaction
from shared.database.reconciliation import ROWS_PER_TICK, Turn, try_lock
from shared.errors import DatabaseBusy, DatabaseUnavailable
from shared.states import JobState
from tests.contract.database.stage import Stage
from tests.integration.backstage.going_on import going_on
from tests.unsteady_database import UnsteadyDatabase

# Long enough that a slow machine is no jump of the database's clock: ours stands still in between.
LEASE = 30.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Ticking:
    """A reconciler whose contact has its own clock. queued: how often it said that jobs were queued again."""

    def __init__(self, db: UnsteadyDatabase) -> None:
        self.clock = Clock()
        self.queued = 0
        self.reconciler = Reconciler(db, LEASE, self._on_queued)
        self.reconciler._contact = Contact(LEASE, self.clock)
        self.reconciler._pause = 0.001

    async def in_contact(self) -> None:
        """For one whole lease."""
        for _ in range(11):
            await self.reconciler.tick()
            self.clock.now += LEASE / 10

    def _on_queued(self) -> None:
        self.queued += 1


@pytest.fixture
def ticking(db: UnsteadyDatabase) -> Ticking:
    return Ticking(db)


async def worker_state(stage: Stage, worker: UUID) -> str:
    return str(await stage.connection.fetchval("SELECT state FROM workers WHERE id = $1", worker))


async def test_a_worker_whose_lease_is_over_is_declared_dead_and_its_jobs_are_queued_again(
    ticking: Ticking, stage: Stage
) -> None:
    """Rule 6. The relay is told."""
    worker = await stage.worker()
    job_id, _ = await stage.running(worker)
    await ticking.in_contact()
    assert ticking.queued == 0
    await stage.lease_over(worker)
    assert not await ticking.reconciler.tick()
    assert await worker_state(stage, worker) == "dead"
    assert await stage.state(job_id) is JobState.QUEUED
    assert ticking.queued == 1


async def test_nobody_is_declared_dead_before_a_whole_lease_of_contact(ticking: Ticking, stage: Stage) -> None:
    """Rule 7."""
    worker = await stage.worker()
    await stage.running(worker)
    await stage.lease_over(worker)
    await ticking.reconciler.tick()
    assert await worker_state(stage, worker) == "alive"
    await ticking.in_contact()
    assert await worker_state(stage, worker) == "dead"


async def test_jobs_of_a_worker_that_left_are_taken_back_at_once(ticking: Ticking, stage: Stage) -> None:
    """Whoever ended it: that needs no contact."""
    worker = await stage.worker()
    job_id, _ = await stage.claimed(worker)
    await stage.change_worker(worker, "state = 'stopped'")
    await ticking.reconciler.tick()
    assert await stage.state(job_id) is JobState.QUEUED


async def test_a_second_reconciler_does_nothing_while_the_first_is_at_it(
    ticking: Ticking, stage: Stage, db: UnsteadyDatabase
) -> None:
    """Rule 12: the lock goes with the transaction, and there is no leader to lose."""
    worker = await stage.worker()
    job_id, _ = await stage.running(worker)
    await stage.dead(worker)
    async with stage.db.transaction() as first:
        assert (await try_lock(first)).mine
        assert not await ticking.reconciler.tick()
        assert await stage.state(job_id) is JobState.RUNNING
        assert ticking.queued == 0
    await ticking.reconciler.tick()
    assert await stage.state(job_id) is JobState.QUEUED


async def test_ticks_that_find_the_lock_taken_are_contact_too(ticking: Ticking, stage: Stage) -> None:
    """Else whoever takes over from another one would have to begin anew."""
    async with stage.db.transaction() as first:
        assert (await try_lock(first)).mine
        await ticking.in_contact()
    assert ticking.reconciler._contact.long_enough


async def test_a_tick_that_meets_an_error_ends_contact_and_goes_on_later(
    ticking: Ticking, stage: Stage, db: UnsteadyDatabase
) -> None:
    """Rules 7 and 12: when the database is back, its workers get a whole lease to renew theirs."""
    await ticking.in_contact()
    assert ticking.reconciler._contact.long_enough
    worker = await stage.worker()
    job_id, _ = await stage.running(worker)
    await stage.lease_over(worker)
    db.away = True
    gone = await stage.worker()
    orphan, _ = await stage.running(gone)
    await stage.dead(gone)
    async with going_on(ticking.reconciler):
        before = db.asked["transaction"]
        await db.until(lambda: db.asked["transaction"] >= before + 2)
        assert not ticking.reconciler._contact.long_enough
        db.away = False
        async with asyncio.timeout(10):
            while await stage.state(orphan) is not JobState.QUEUED:
                await asyncio.sleep(0)
        assert await worker_state(stage, worker) == "alive"
        assert await stage.state(job_id) is JobState.RUNNING


async def test_a_tick_that_meets_a_deadlock_keeps_contact(ticking: Ticking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 7: the database is there; nobody's death waits another lease for it."""
    await ticking.in_contact()
    ticks: list[int] = []

    async def deadlocked() -> bool:
        ticks.append(1)
        raise DatabaseBusy("deadlock detected")

    monkeypatch.setattr(ticking.reconciler, "tick", deadlocked)
    async with going_on(ticking.reconciler), asyncio.timeout(10):
        while len(ticks) < 3:
            await asyncio.sleep(0)
    assert ticking.reconciler._contact.long_enough


async def test_more_orphans_than_a_tick_takes_are_taken_by_the_next_ones(ticking: Ticking, stage: Stage) -> None:
    """Rule 12: each transaction is short, and nobody waits between them."""
    worker = await stage.worker()
    await stage.jobs(ROWS_PER_TICK + 5)
    await stage.connection.execute("UPDATE jobs SET state = 'running', attempt = 1, worker = $1", worker)
    await stage.dead(worker)
    assert await ticking.reconciler.tick()
    assert not await ticking.reconciler.tick()
    assert {row["state"] for row in await stage.rows()} == {"queued"}


async def test_what_waited_too_long_expires(ticking: Ticking, stage: Stage) -> None:
    job_id = await stage.published()
    await stage.change(job_id, "queue_deadline = now() - interval '1 s'")
    await ticking.reconciler.tick()
    assert await stage.state(job_id) is JobState.EXPIRED
    assert ticking.queued == 0


async def test_a_jump_of_the_database_s_clock_is_held_against_nobody(
    ticking: Ticking, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 7: a suspended machine, a clock set on: all leases look over, and nothing was done in the hour that has passed."""
    worker = await stage.worker()
    held, _ = await stage.running(worker, max_attempts=1)
    waiting = await stage.published()
    await ticking.in_contact()
    for job_id in (held, waiting):
        await stage.change(job_id, "queue_deadline = queue_deadline - interval '2 hours'")
    await stage.change_worker(worker, "lease_until = lease_until - interval '2 hours'")

    async def two_hours_later(tx: Transaction) -> Turn:
        turn = await try_lock(tx)
        return replace(turn, now=turn.now + 7200)

    monkeypatch.setattr(reconciler_module, "try_lock", two_hours_later)
    await ticking.reconciler.tick()
    assert await worker_state(stage, worker) == "alive"
    assert (await stage.state(held), await stage.state(waiting)) == (JobState.RUNNING, JobState.QUEUED)
    await ticking.in_contact()  # and nobody has renewed anything
    assert await worker_state(stage, worker) == "dead"
    assert (await stage.state(held), await stage.state(waiting)) == (JobState.QUEUED, JobState.EXPIRED)


@pytest.mark.parametrize("part", ["expire", "note_ends", "republish", "forget_workers"])
async def test_a_part_that_fails_each_time_holds_up_no_other(
    part: str, ticking: Ticking, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 12: a statement that is too slow for its time-out must not undo, tick by tick, what the others do."""
    await ticking.in_contact()
    worker = await stage.worker()
    job_id, _ = await stage.running(worker)
    late = await stage.published()
    await stage.change(late, "queue_deadline = now() - interval '1 s'")

    async def too_slow(*_: object) -> None:
        raise DatabaseUnavailable("canceling statement due to statement timeout")

    monkeypatch.setattr(reconciler_module, part, too_slow)
    for _ in range(2):  # the first one's failure must not count as a loss of contact
        await ticking.reconciler.tick()
        await stage.lease_over(worker)
    assert await worker_state(stage, worker) == "dead"
    assert await stage.state(job_id) is JobState.QUEUED
    assert await stage.state(late) is (JobState.QUEUED if part == "expire" else JobState.EXPIRED)


async def test_what_the_broker_forgot_is_published_again(ticking: Ticking, stage: Stage) -> None:
    """Rule 11: a worker idles beside a published job; its wait goes with the lease."""
    worker = await stage.worker()
    report = '[{"queue": "echo", "idle": true, "newest_claimed": null}]'
    await stage.change_worker(worker, f"queues = '{report}'")
    young, old = await stage.published(), await stage.published()
    await stage.change(old, f"published_at = now() - interval '{LEASE + 0.1} s'")
    await stage.change(young, "published_at = now() + interval '1 min'")
    await ticking.reconciler.tick()
    assert (await stage.row(old))["published_at"] is None
    assert (await stage.row(young))["published_at"] is not None
    assert ticking.queued == 1
