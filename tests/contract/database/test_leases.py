"""Worker incarnations: register, heartbeat, leave (rule 6)."""

import json
from datetime import UTC, datetime
from uuid import UUID

from shared.catalogue import ModelState, ServedModel
from shared.database.entries import Ending
from shared.database.leases import Held, QueueReport, heartbeat, leave, register_worker
from shared.database.moves import cancel_job
from shared.database.pool import Database
from shared.database.settlement import Settlement, settle
from tests.contract.database.stage import OWNER, Stage, new_id


async def beat(db: Database, worker: UUID, lease: float = 30.0) -> list[Held] | None:
    return await heartbeat(db, worker, device="cpu", lease=lease, models=[], queues=[])


async def the_worker(stage: Stage, worker: UUID) -> dict[str, object]:
    query = (
        "SELECT *, extract(epoch FROM lease_until - clock_timestamp())::float AS lease_left FROM workers WHERE id = $1"
    )
    return dict(await stage.connection.fetchrow(query, worker))


async def test_a_new_incarnation_is_alive_for_one_lease(db: Database, stage: Stage) -> None:
    worker = new_id()
    served = ServedModel("echo", 1, ModelState.LOADING)
    await register_worker(db, worker, name="host:7", device="cuda:0", lease=12.5, models=[served])
    row = await the_worker(stage, worker)
    assert (row["name"], row["device"], row["state"]) == ("host:7", "cuda:0", "alive")
    assert 11.0 < float(str(row["lease_left"])) <= 12.5
    assert json.loads(str(row["models"])) == [{"name": "echo", "version": 1, "state": "loading", "error": None}]


async def test_a_heartbeat_renews_the_lease(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 6: one row, whatever it holds."""
    await stage.change_worker(worker, "lease_until = now() + interval '1 s', heartbeat_at = now() - interval '1 h'")
    before = await the_worker(stage, worker)
    assert await beat(db, worker) == []
    row = await the_worker(stage, worker)
    assert 28.0 < float(str(row["lease_left"])) <= 30.0
    assert str(row["heartbeat_at"]) > str(before["heartbeat_at"])


async def test_a_late_heartbeat_counts_as_long_as_nobody_declared_it_dead(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 7: after the database was away every lease is over, and every worker lives."""
    await stage.lease_over(worker)
    assert await beat(db, worker) == []
    assert float(str((await the_worker(stage, worker))["lease_left"])) > 0


async def test_a_worker_declared_dead_learns_it_from_its_heartbeat(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 6: None is final: a thawed worker drops its work and registers anew."""
    await stage.running(worker)
    await stage.dead(worker)
    before = await the_worker(stage, worker)
    assert await beat(db, worker) is None
    assert (await the_worker(stage, worker))["lease_until"] == before["lease_until"]


async def test_an_unknown_or_stopped_worker_has_no_heartbeat(db: Database, worker: UUID) -> None:
    assert await beat(db, new_id()) is None
    await leave(db, worker)
    assert await beat(db, worker) is None


async def test_a_heartbeat_brings_back_all_that_the_database_notes_for_it(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 6: those to be cancelled, and those whose claim's answer was lost; started or not."""
    claimed, running, cancelling = await stage.claimed(worker), await stage.running(worker), await stage.running(worker)
    await cancel_job(db, OWNER, cancelling[0])
    held = await beat(db, worker)
    assert held is not None
    assert sorted(held, key=lambda one: one.id) == [
        Held(*claimed, cancelling=False),
        Held(*running, cancelling=False),
        Held(*cancelling, cancelling=True),
    ]


async def test_a_heartbeat_brings_nothing_that_is_not_its_own(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 6: not what it has settled, not what others hold, not what waits."""
    done, back = await stage.running(worker), await stage.running(worker)
    await settle(db, [Settlement(*done, Ending.SUCCEEDED, result="1"), Settlement(*back, Ending.HANDED_BACK)])
    await stage.running(await stage.worker())
    await stage.published()
    assert await beat(db, worker) == []


async def test_a_heartbeat_says_what_the_worker_serves_and_sees(db: Database, stage: Stage, worker: UUID) -> None:
    """Rule 11 and the catalogue read it from the row."""
    seen = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    await heartbeat(
        db,
        worker,
        device="mps",
        lease=30,
        models=[ServedModel("echo", 1, ModelState.FAILED, "no weights")],
        queues=[QueueReport("echo", idle=True, newest_claimed=seen)],
    )
    row = await the_worker(stage, worker)
    assert row["device"] == "mps"
    assert json.loads(str(row["models"])) == [{"name": "echo", "version": 1, "state": "failed", "error": "no weights"}]
    (queue,) = json.loads(str(row["queues"]))
    assert (queue["queue"], queue["idle"], datetime.fromisoformat(queue["newest_claimed"])) == ("echo", True, seen)


async def test_what_a_worker_says_of_itself_is_stored_whatever_it_says(db: Database, worker: UUID) -> None:
    """Rule 6: a model's odd error message must not cost the whole worker its lease."""
    odd = ServedModel("echo", 1, ModelState.FAILED, "bad\0text \ud800")
    assert await heartbeat(db, worker, device="cpu", lease=30, models=[odd], queues=[]) == []
    await register_worker(db, new_id(), name="n", device="cpu", lease=30, models=[odd])


async def test_leaving_ends_the_incarnation_and_leaves_its_jobs_to_the_tick(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 13: what a worker could not hand back at its end is requeued at once, not after a lease."""
    held = await stage.running(worker)
    await leave(db, worker)
    assert (await the_worker(stage, worker))["state"] == "stopped"
    assert list(await stage.requeue_orphans()) == [held[0]]


async def test_leaving_after_being_declared_dead_changes_nothing(db: Database, stage: Stage, worker: UUID) -> None:
    await stage.dead(worker)
    await leave(db, worker)
    assert (await the_worker(stage, worker))["state"] == "dead"
