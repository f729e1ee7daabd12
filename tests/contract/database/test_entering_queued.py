"""Rule 2: every way back into `queued` leaves nothing behind of the entry before, but a wait that goes on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import pytest

from shared.database.claims import UNSERVED_DELAY_AT_MOST, put_back
from shared.database.entries import BACKOFF_BASE, LOSS_DELAY, Ending
from shared.database.moves import retry_job
from shared.database.settlement import Settlement, settle
from shared.states import JobState
from tests.contract.database.stage import OWNER, Stage

TTL = 3600.0


@dataclass(frozen=True)
class Way:
    """From `state`, by `go`; due after the least and the most of these seconds. waits_on: it never left `queued`."""

    state: JobState
    go: Callable[[Stage, UUID], Awaitable[None]]
    delay: tuple[float, float] = (0.0, 0.0)
    unstarted: bool = False
    waits_on: bool = False


def settled_as(kind: Ending) -> Callable[[Stage, UUID], Awaitable[None]]:
    async def go(stage: Stage, job_id: UUID) -> None:
        attempt = (await stage.row(job_id))["attempt"]
        await settle(stage.db, [Settlement(job_id, attempt, kind)])

    return go


async def orphaned(stage: Stage, job_id: UUID) -> None:
    await stage.dead((await stage.row(job_id))["worker"])
    await stage.requeue_orphans()


async def put_back_by_a_stranger(stage: Stage, job_id: UUID) -> None:
    await put_back(stage.db, [(job_id, (await stage.row(job_id))["publish_no"])])


async def retried(stage: Stage, job_id: UUID) -> None:
    await retry_job(stage.db, OWNER, job_id)


BACKOFF = (BACKOFF_BASE * 0.5, BACKOFF_BASE * 1.5)
LATER = (LOSS_DELAY, LOSS_DELAY)
MUCH_LATER = (UNSERVED_DELAY_AT_MOST, UNSERVED_DELAY_AT_MOST)

WAYS = {
    "handed back": Way(JobState.RUNNING, settled_as(Ending.HANDED_BACK)),
    "retryable": Way(JobState.RUNNING, settled_as(Ending.RETRYABLE), BACKOFF),
    "lost": Way(JobState.RUNNING, settled_as(Ending.LOST)),
    "lost unstarted": Way(JobState.RUNNING, settled_as(Ending.LOST_UNSTARTED), LATER, unstarted=True),
    "crowded out": Way(JobState.RUNNING, settled_as(Ending.CROWDED_OUT)),
    "orphaned": Way(JobState.RUNNING, orphaned),
    "orphaned unstarted": Way(JobState.RUNNING, orphaned, LATER, unstarted=True),
    "put back": Way(JobState.QUEUED, put_back_by_a_stranger, MUCH_LATER, waits_on=True),
    "failed, retried": Way(JobState.FAILED, retried),
    "cancelled, retried": Way(JobState.CANCELLED, retried),
    "expired, retried": Way(JobState.EXPIRED, retried),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_entering_queued_sets_every_column_of_rule_2(way: Way, stage: Stage, worker: UUID) -> None:
    """Rule 2: each column of the entry before is cleared, publish_no is one more; the deadline is a new one where the wait is."""
    job_id = await stage.in_state(way.state, worker, queue_ttl=TTL)
    if way.unstarted:
        await stage.change(job_id, "started_at = NULL")
    await stage.change(
        job_id,
        "publish_no = 7, republished = 3, published_at = now(), publish_leased_until = now() + interval '1 hour', "
        "queue_deadline = now() - interval '1 s', available_at = now() - interval '1 hour', "
        """progress = '{"fraction": 0.5, "message": null}', attempt = 4, revision = 11""",
    )
    before = (await stage.row(job_id))["queue_deadline"]
    await way.go(stage, job_id)
    row = await stage.row(job_id)
    assert row["state"] == JobState.QUEUED
    for name in ("published_at", "publish_leased_until", "worker", "finished_at", "error", "started_at", "progress"):
        assert row[name] is None, name
    assert (row["publish_no"], row["republished"], row["attempt"], row["revision"]) == (8, 0, 4, 12)
    least, most = way.delay
    assert least - 1.0 < await stage.until(job_id, "available_at") <= most
    if way.waits_on:
        assert row["queue_deadline"] == before
    else:
        waits = (row["queue_deadline"] - row["available_at"]).total_seconds()
        assert waits == pytest.approx(TTL, abs=0.1), "the deadline starts when the back-off ends"


async def test_the_deadline_follows_the_back_off_however_long_it_is(stage: Stage, worker: UUID) -> None:
    """Rule 2: a job with a short queue_ttl and a long back-off is not due only after it has expired."""
    for _ in range(10):
        job_id, attempt = await stage.running(worker, queue_ttl=1.0, max_attempts=50)
        await stage.change(job_id, "charged = 15")
        await settle(stage.db, [Settlement(job_id, attempt, Ending.RETRYABLE)])
        row = await stage.row(job_id)
        assert (row["queue_deadline"] - row["available_at"]).total_seconds() == pytest.approx(1.0, abs=0.1)
