"""Leasing deliveries, noting what came of them, and their log."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.database.deliveries import (
    DeliveryState,
    Due,
    Outcome,
    lease_deliveries,
    list_deliveries,
    note_delivery,
)
from shared.database.moves import cancel_job
from shared.database.pool import Database
from shared.database.webhook_secrets import get_webhook_secret, rotate_webhook_secret
from tests.contract.database.stage import OWNER, Stage, new_id

DELIVERED = Outcome(204, None, 0.25)
AGAIN = Outcome(500, "answered with 500", 0.5, again_in=60.0)
FAILED = Outcome(410, "answered with 410", 0.5)


async def to_tell(stage: Stage, url: str = "https://example.com/", count: int = 1, owner: str = OWNER) -> list[UUID]:
    """-> the jobs that somebody is to be told of."""
    jobs = await stage.jobs(count, webhook=json.dumps({"url": url}), owner=owner)
    for job in jobs:
        await cancel_job(stage.db, owner, job.id)
    return [job.id for job in jobs]


async def lease(db: Database, limit: int = 100, busy: dict[str, int] | None = None, **more: Any) -> list[Due]:
    return await lease_deliveries(db, limit, busy=busy or {}, **({"per_host": 100, "lease": 30.0} | more))


async def row(stage: Stage) -> Any:
    return await stage.connection.fetchrow("SELECT *, clock_timestamp() AS now FROM webhook_deliveries")


async def change(stage: Stage, assignments: str) -> None:
    await stage.connection.execute(f"UPDATE webhook_deliveries SET {assignments}")


async def test_one_process_gets_it(db: Database, stage: Stage) -> None:
    """While the lease lives nobody else does, whatever happens to the process."""
    await to_tell(stage)
    (due,) = await lease(db)
    assert (due.event, due.url, due.host, due.owner, due.tries) == (
        "job.cancelled",
        "https://example.com/",
        "example.com",
        OWNER,
        0,
    )
    assert await lease(db) == []
    assert timedelta(seconds=25) < due.leased_until - (await row(stage))["now"] <= timedelta(seconds=30)


async def test_a_lease_that_ran_out_is_given_again(db: Database, stage: Stage) -> None:
    """Under the same id: the receiver can tell that it is the same event."""
    await to_tell(stage)
    (first,) = await lease(db)
    await change(stage, "leased_until = now() - interval '1 s'")
    (second,) = await lease(db)
    assert second.id == first.id


async def test_many_at_once_get_each_once(db: Database, stage: Stage) -> None:
    await to_tell(stage, count=40)
    found = await asyncio.gather(*(lease(db, 7) for _ in range(8)))
    ids = [due.id for part in found for due in part]
    assert len(ids) == len(set(ids))
    ids += [due.id for due in await lease(db)]
    assert len(set(ids)) == len(ids) == 40


async def test_what_another_one_is_just_taking_is_passed_over(db: Database, stage: Stage) -> None:
    """Neither waited for, nor taken as well."""
    await to_tell(stage, count=3)
    async with stage.holding():
        taken = await stage.connection.fetchval("SELECT id FROM webhook_deliveries LIMIT 1 FOR UPDATE")
        found = await asyncio.wait_for(lease(db), 5)
    assert len(found) == 2
    assert taken not in {due.id for due in found}


async def test_the_longest_due_come_first(db: Database, stage: Stage) -> None:
    jobs = await to_tell(stage, count=3)
    for seconds, job_id in enumerate(jobs):
        sql = "UPDATE webhook_deliveries SET next_try_at = now() - $1 * interval '1 s' WHERE job_id = $2"
        await stage.connection.execute(sql, seconds + 1, job_id)
    (due,) = await lease(db, 1)
    (newest,) = await lease(db, 1)
    shown = await list_deliveries(db, OWNER, jobs[2])
    assert shown is not None
    assert due.id == shown[0].id != newest.id


async def test_what_is_not_due_waits(db: Database, stage: Stage) -> None:
    await to_tell(stage)
    await change(stage, "next_try_at = now() + interval '1 s'")
    assert await lease(db) == []


async def test_a_host_gets_no_more_calls_than_it_may(db: Database, stage: Stage) -> None:
    """With those that are under way already."""
    await to_tell(stage, "https://slow.example.com/", count=9)
    await to_tell(stage, "https://other.example.com/", count=2)
    found = await lease(db, per_host=4, busy={"slow.example.com": 1})
    assert sorted(due.host for due in found) == ["other.example.com"] * 2 + ["slow.example.com"] * 3
    assert await lease(db, per_host=4, busy={"slow.example.com": 4}) == []


async def test_a_host_that_has_enough_hides_nobody(db: Database, stage: Stage) -> None:
    """Also behind more of its deliveries than are looked at in one go."""
    await to_tell(stage, "https://slow.example.com/")
    await stage.connection.execute(
        "INSERT INTO webhook_deliveries (id, job_id, owner, event, url, host, job, next_try_at, created_at) "
        "SELECT gen_random_uuid(), job_id, owner, event, url, host, job, next_try_at, created_at "
        "FROM webhook_deliveries, generate_series(1, 300)"
    )
    await to_tell(stage, "https://other.example.com/")
    assert [due.host for due in await lease(db, per_host=2)] == ["slow.example.com"] * 2
    assert [due.host for due in await lease(db, per_host=2, busy={"slow.example.com": 2})] == ["other.example.com"]


async def test_a_delivery_is_over(db: Database, stage: Stage) -> None:
    """And no longer carries the job's result."""
    (job_id,) = await to_tell(stage)
    (due,) = await lease(db)
    assert await note_delivery(db, due, DELIVERED)
    after = await row(stage)
    assert (after["state"], after["leased_until"], after["job"]) == ("delivered", None, None)
    assert after["finished_at"] is not None
    shown = await list_deliveries(db, OWNER, job_id)
    assert shown is not None
    (one,) = shown
    assert (one.state, one.next_try_at, one.finished_at) == (DeliveryState.DELIVERED, None, after["finished_at"])
    assert [(made.status, made.error, made.seconds) for made in one.tries] == [(204, None, 0.25)]
    assert after["finished_at"] - one.tries[0].at == pytest.approx(timedelta(seconds=0.25), abs=timedelta(seconds=0.1))
    assert await lease(db) == []


async def test_a_failed_try_is_made_again_later(db: Database, stage: Stage) -> None:
    (job_id,) = await to_tell(stage)
    (due,) = await lease(db)
    assert await note_delivery(db, due, AGAIN)
    after = await row(stage)
    assert (after["state"], after["finished_at"]) == ("pending", None)
    assert timedelta(seconds=55) < after["next_try_at"] - after["now"] <= timedelta(seconds=60)
    await change(stage, "next_try_at = now()")
    (again,) = await lease(db)
    assert (again.id, again.tries, again.snapshot) == (due.id, 1, due.snapshot)
    await note_delivery(db, again, Outcome(None, "does not answer", 15.0, again_in=1.0))
    shown = await list_deliveries(db, OWNER, job_id)
    assert shown is not None
    assert [(made.status, made.error) for made in shown[0].tries] == [
        (500, "answered with 500"),
        (None, "does not answer"),
    ]


async def test_the_last_try_ends_it(db: Database, stage: Stage) -> None:
    (job_id,) = await to_tell(stage)
    (due,) = await lease(db)
    assert await note_delivery(db, due, FAILED)
    shown = await list_deliveries(db, OWNER, job_id)
    assert shown is not None
    assert shown[0].state == DeliveryState.FAILED
    assert (await row(stage))["job"] is None


async def test_who_comes_after_the_lease_has_nothing_to_say(db: Database, stage: Stage) -> None:
    """A process that was frozen: another one's try counts."""
    await to_tell(stage)
    (frozen,) = await lease(db)
    await change(stage, "leased_until = now() - interval '1 s'")
    (mine,) = await lease(db)
    assert not await note_delivery(db, frozen, FAILED)
    assert await note_delivery(db, mine, DELIVERED)
    assert not await note_delivery(db, mine, FAILED)
    assert (await row(stage))["state"] == "delivered"


async def test_a_lease_comes_with_what_to_sign_with(db: Database, stage: Stage) -> None:
    """Nothing before there is a secret; two while the one before signs along."""
    await to_tell(stage, count=4, owner=(owner := str(new_id())))
    (none,) = await lease(db, 1)
    first = await get_webhook_secret(db, owner)
    (one,) = await lease(db, 1)
    second = await rotate_webhook_secret(db, owner, 60.0)
    (two,) = await lease(db, 1)
    await stage.connection.execute("UPDATE webhook_secrets SET previous_until = now() - interval '1 s'")
    (later,) = await lease(db, 1)
    assert none.secrets == ()
    assert one.secrets == (first.secret,)
    assert two.secrets == (second.secret, first.secret)
    assert later.secrets == (second.secret,)


async def test_a_log_is_its_owner_s(db: Database, stage: Stage) -> None:
    (job_id,) = await to_tell(stage)
    silent = await stage.queued()
    for owner in (OWNER, None):
        shown = await list_deliveries(db, owner, job_id)
        assert shown is not None
        assert len(shown) == 1
        assert await list_deliveries(db, owner, silent) == []
        assert await list_deliveries(db, owner, new_id()) is None
    assert await list_deliveries(db, "somebody else", job_id) is None
