"""How queues are doing: read from real rows."""

from uuid import UUID

import pytest

from shared.database.statistics import read_ended, read_flow, read_load, read_pace
from shared.states import JobState
from shared.statistics import Percentiles, QueueFlow, QueuePace
from tests.contract.database.stage import Stage


async def done(stage: Stage, waited: float, ran: float, *, ago: float = 0.0, queue: str = "echo") -> UUID:
    """A job that waited and ran so many seconds, and ended `ago`."""
    job_id = await stage.ended(JobState.SUCCEEDED, queue=queue)
    await stage.change(
        job_id,
        f"finished_at = now() - interval '{ago} s', started_at = now() - interval '{ago + ran} s', "
        f"available_at = now() - interval '{ago + ran + waited} s'",
    )
    return job_id


async def test_the_load_is_of_each_queue_and_each_unfinished_state(stage: Stage, worker: UUID) -> None:
    for state in JobState:
        await stage.in_state(state, worker)
    first = await stage.queued(queue="other")
    await stage.queued(queue="other")
    await stage.change(first, "available_at = now() - interval '90 s'")

    load = await read_load(stage.db)

    assert load["echo"].counts == {JobState.QUEUED: 1, JobState.RUNNING: 1, JobState.CANCELLING: 1}
    assert load["other"].counts == {JobState.QUEUED: 2}
    assert load["other"].oldest == pytest.approx(90, abs=5)


async def test_a_job_that_is_not_due_yet_has_not_waited(stage: Stage) -> None:
    job_id = await stage.queued()
    await stage.change(job_id, "available_at = now() + interval '90 s'")

    assert (await read_load(stage.db))["echo"].oldest == 0


async def test_what_has_ended_is_counted_by_how(stage: Stage, worker: UUID) -> None:
    for state in (*JobState, JobState.FAILED):
        await stage.in_state(state, worker)

    assert await read_ended(stage.db) == {
        "echo": {JobState.SUCCEEDED: 1, JobState.FAILED: 2, JobState.CANCELLED: 1, JobState.EXPIRED: 1}
    }


async def test_the_flow_is_of_what_was_done_lately(stage: Stage) -> None:
    for n in range(1, 101):
        await done(stage, waited=n, ran=n / 10)
    await done(stage, waited=10_000, ran=10_000, ago=3700)  # too long ago
    await stage.ended(JobState.CANCELLED)

    flow = (await read_flow(stage.db, ["echo", "idle"]))["echo"]

    assert flow.done == 100
    assert flow.waiting.p50 == pytest.approx(50.5)
    assert flow.running.p95 == pytest.approx(9.505)
    assert flow.running.p99 == pytest.approx(9.901)


async def test_a_queue_that_has_done_nothing_has_no_percentiles(stage: Stage) -> None:
    assert await read_flow(stage.db, ["idle"]) == {"idle": QueueFlow(0, Percentiles(), Percentiles())}
    assert await read_pace(stage.db, "idle") == QueuePace(None, None, 0, 0)


async def test_the_pace_is_of_the_latest(stage: Stage, worker: UUID) -> None:
    for n in range(5):
        await done(stage, waited=0, ran=float(n), ago=10.0 * n)
    await done(stage, waited=0, ran=99, queue="other")
    await stage.queued()
    await stage.change_worker(worker, """queues = '[{"queue": "echo", "idle": 1.0}]'""")
    dead = await stage.worker()
    await stage.change_worker(dead, """queues = '[{"queue": "echo"}]', state = 'dead'""")

    pace = await read_pace(stage.db, "echo")

    assert (pace.waiting, pace.workers) == (1, 1)
    assert pace.usual == pytest.approx(2)
    assert pace.rate == pytest.approx(5 / 40, rel=0.1)
