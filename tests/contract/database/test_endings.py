"""What ends a job writes down whom to tell of it, in the same commit, with the job as it then was."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from shared.database import claims, dead_letters, leases, moves, outbox, reconciliation, settlement, submission
from shared.database.endings import CHANNEL, job_of_snapshot
from shared.database.entries import Ending
from shared.database.moves import cancel_job, retry_job
from shared.database.pool import Database, Transaction
from shared.database.reading import get_job
from shared.database.reconciliation import expire, requeue_orphans
from shared.database.settlement import Settlement, settle
from shared.database.statement import Statement
from shared.states import FINISHED, ErrorCode, JobState
from tests.contract.database.stage import OWNER, Stage

URL = "https://example.com/hook"
HOOK = json.dumps({"url": URL})
Change = Callable[[Stage, UUID, UUID], Awaitable[Any]]


async def deliveries(stage: Stage) -> list[Any]:
    found: list[Any] = await stage.connection.fetch("SELECT * FROM webhook_deliveries ORDER BY created_at")
    return found


def _settled(kind: Ending, **more: Any) -> Change:
    return lambda stage, _, job_id: settle(stage.db, [Settlement(job_id, 1, kind, **more)])


async def _expire(stage: Stage, worker: UUID, job_id: UUID) -> None:
    await stage.change(job_id, "queue_deadline = now() - interval '1 s'")
    async with stage.db.transaction() as tx:
        await expire(tx)


async def _lose_the_worker(stage: Stage, worker: UUID, job_id: UUID) -> None:
    await stage.dead(worker)
    await stage.requeue_orphans()


async def _lose_the_worker_of_a_lone_attempt(stage: Stage, worker: UUID, job_id: UUID) -> None:
    await stage.change(job_id, "alone = true, max_attempts = 1")
    await _lose_the_worker(stage, worker, job_id)


# From which state, how it ends, and as what.
ENDS: dict[str, tuple[JobState, Change, JobState]] = {
    "settle, with a result": (JobState.RUNNING, _settled(Ending.SUCCEEDED, result="1"), JobState.SUCCEEDED),
    "settle, with an error": (
        JobState.RUNNING,
        _settled(Ending.FAILED, code=ErrorCode.INVALID_INPUT, message="no"),
        JobState.FAILED,
    ),
    "settle, stopped": (JobState.CANCELLING, _settled(Ending.STOPPED), JobState.CANCELLED),
    "hand back what is cancelled": (JobState.CANCELLING, _settled(Ending.HANDED_BACK), JobState.CANCELLED),
    "settle, just before it was stopped": (
        JobState.CANCELLING,
        _settled(Ending.SUCCEEDED, result="1"),
        JobState.SUCCEEDED,
    ),
    "cancel": (JobState.QUEUED, lambda stage, _, job_id: cancel_job(stage.db, OWNER, job_id), JobState.CANCELLED),
    "expire": (JobState.QUEUED, _expire, JobState.EXPIRED),
    "lose the worker of what is cancelled": (JobState.CANCELLING, _lose_the_worker, JobState.CANCELLED),
    "lose the worker for the last time": (JobState.RUNNING, _lose_the_worker_of_a_lone_attempt, JobState.FAILED),
}
GOES_ON: dict[str, tuple[JobState, Change]] = {
    "settle, retryable": (JobState.RUNNING, _settled(Ending.RETRYABLE)),
    "hand back": (JobState.RUNNING, _settled(Ending.HANDED_BACK)),
    "lose the worker": (JobState.RUNNING, _lose_the_worker),
    "cancel what runs": (JobState.RUNNING, lambda stage, _, job_id: cancel_job(stage.db, OWNER, job_id)),
}


@pytest.mark.parametrize("name", ENDS)
async def test_every_end_is_to_be_told(name: str, stage: Stage, worker: UUID) -> None:
    """Once, with the job as it is from then on."""
    before, change, after = ENDS[name]
    job_id = await stage.in_state(before, worker, webhook=HOOK, metadata='{"page": 1}')
    await change(stage, worker, job_id)
    assert await stage.state(job_id) == after
    (one,) = await deliveries(stage)
    assert (one["job_id"], one["owner"], one["event"], one["url"]) == (job_id, OWNER, f"job.{after}", URL)
    assert (one["state"], one["tries"], one["leased_until"], one["finished_at"]) == ("pending", "[]", None, None)
    assert one["host"] == "example.com"
    assert job_of_snapshot(one["job"]) == await get_job(stage.db, OWNER, job_id)


@pytest.mark.parametrize("name", ENDS)
async def test_who_did_not_ask_is_not_told(name: str, stage: Stage, worker: UUID) -> None:
    """No webhook, or one for other events."""
    before, change, after = ENDS[name]
    others = [f"job.{state}" for state in FINISHED if state is not after]
    for webhook in (None, json.dumps({"url": URL, "events": others})):
        await stage.clear()
        await stage.connection.execute("DELETE FROM workers")
        holder = await stage.worker()
        await change(stage, holder, await stage.in_state(before, holder, webhook=webhook))
        assert await deliveries(stage) == []


@pytest.mark.parametrize("name", GOES_ON)
async def test_what_goes_on_is_not_told(name: str, stage: Stage, worker: UUID) -> None:
    before, change = GOES_ON[name]
    job_id = await stage.in_state(before, worker, webhook=HOOK)
    await change(stage, worker, job_id)
    assert not (await stage.state(job_id)).finished
    assert await deliveries(stage) == []


@pytest.mark.parametrize(
    "module", [claims, dead_letters, leases, moves, outbox, reconciliation, settlement, submission]
)
def test_no_statement_ends_a_job_in_silence(module: ModuleType) -> None:
    """A new one that forgets `ended` is found here."""
    for statement in vars(module).values():
        if isinstance(statement, Statement) and "finished_at=" in statement.sql.replace("finished_at=NULL", ""):
            assert "INSERT INTO webhook_deliveries" in statement.sql, statement


async def test_a_second_end_is_a_new_event(stage: Stage, worker: UUID) -> None:
    """What is retried ends again, under a new id."""
    job_id = await stage.published(webhook=HOOK)
    await cancel_job(stage.db, OWNER, job_id)
    await retry_job(stage.db, OWNER, job_id)
    await settle(stage.db, [Settlement(*await stage.run_again(worker, job_id), Ending.SUCCEEDED, result="1")])
    first, second = await deliveries(stage)
    assert (first["event"], second["event"]) == ("job.cancelled", "job.succeeded")
    assert first["id"] != second["id"]
    assert job_of_snapshot(first["job"]).state == JobState.CANCELLED  # as it was, not as it is


async def test_a_stale_settlement_tells_nobody(stage: Stage, worker: UUID) -> None:
    """Rule 1."""
    job_id, attempt = await stage.running(worker, webhook=HOOK)
    await settle(stage.db, [Settlement(job_id, attempt + 1, Ending.SUCCEEDED, result="1")])
    assert await deliveries(stage) == []


async def test_of_a_batch_those_are_told_that_have_a_webhook(stage: Stage, worker: UUID) -> None:
    held = [await stage.running(worker, webhook=webhook) for webhook in (None, HOOK, None, HOOK)]
    await settle(stage.db, [Settlement(*one, Ending.SUCCEEDED, result="1") for one in held])
    assert {one["job_id"] for one in await deliveries(stage)} == {held[1][0], held[3][0]}


@pytest.mark.parametrize(
    "result",
    ['{"a": "\\u0000"}', '{"n": 123456789012345678901234567890.10}', '{"b":1,"a":2,"b":3}', "null", "  [1,\n 2]"],
)
async def test_a_result_is_carried_as_it_was_given(result: str, stage: Stage, worker: UUID) -> None:
    """Decision 0003: to the letter, also what jsonb could not hold."""
    held = await stage.running(worker, webhook=HOOK, metadata='{"z": "\\u0000", "y": 1e400}')
    await settle(stage.db, [Settlement(*held, Ending.SUCCEEDED, result=result)])
    (one,) = await deliveries(stage)
    job = job_of_snapshot(one["job"])
    assert (job.result or "null").strip() == result.strip()
    assert job.metadata == '{"z": "\\u0000", "y": 1e400}'


async def test_the_input_stays_where_it_is(stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker, webhook=HOOK, input='{"secret": 1}')
    await settle(stage.db, [Settlement(*held, Ending.SUCCEEDED, result="1")])
    assert "secret" not in (await deliveries(stage))[0]["job"]


async def test_an_end_that_was_rolled_back_is_not_told(stage: Stage, worker: UUID) -> None:
    await stage.cancelling(worker, webhook=HOOK)
    await stage.dead(worker)

    async def fail_half_way(tx: Transaction) -> None:
        assert await requeue_orphans(tx)
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        async with stage.db.transaction() as tx:
            await fail_half_way(tx)
    assert await deliveries(stage) == []


async def test_who_tells_is_woken_when_there_is_something_to_tell(db: Database, stage: Stage, worker: UUID) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await db.listener()
    await listener.add_listener(CHANNEL, lambda *event: heard.put_nowait(event[-1]))
    silent, told = await stage.running(worker), await stage.running(worker, webhook=HOOK)
    await settle(db, [Settlement(*silent, Ending.SUCCEEDED, result="1")])
    await stage.connection.execute("SELECT pg_notify($1, 'mark')", CHANNEL)
    await settle(db, [Settlement(*told, Ending.SUCCEEDED, result="1")])
    assert [await asyncio.wait_for(heard.get(), 5) for _ in range(2)] == ["mark", ""]
    await listener.close()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.COM:8443/x?y=http://other", "example.com"),
        ("https://example.com./", "example.com"),
        ("http://[2606:4700::1]:80/", "[2606:4700::1]"),
        ("https://example.com?x", "example.com"),
    ],
)
async def test_a_delivery_knows_its_host(url: str, host: str, stage: Stage) -> None:
    job_id = await stage.published(webhook=json.dumps({"url": url}))
    await cancel_job(stage.db, OWNER, job_id)
    assert (await deliveries(stage))[0]["host"] == host


async def test_deliveries_go_with_their_job(stage: Stage) -> None:
    job_id = await stage.published(webhook=HOOK)
    await cancel_job(stage.db, OWNER, job_id)
    await stage.connection.execute("DELETE FROM jobs WHERE id = $1", job_id)
    assert await deliveries(stage) == []
