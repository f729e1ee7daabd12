"""Rule 6: one life of a worker, its lease, and what its heartbeat tells."""

import asyncio

import pytest

from ml_service.worker import incarnation as incarnation_module
from ml_service.worker.incarnation import Incarnation, Report
from shared.catalogue import ModelState, ServedModel
from shared.database.catalogue import read_workers
from shared.database.leases import Held, QueueReport
from tests.integration.worker.bench import LEASE, Bench


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incarnation_module, "RETRY_AFTER", 0.001)


async def lease_left(bench: Bench) -> float:
    left = await bench.stage.connection.fetchval(
        "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM workers WHERE id = $1", bench.incarnation.id
    )
    return float(left)


async def state_of(bench: Bench, worker: object) -> str:
    return str(await bench.stage.connection.fetchval("SELECT state FROM workers WHERE id = $1", worker))


async def test_a_heartbeat_renews_the_lease(bench: Bench) -> None:
    await bench.stage.lease_over(bench.incarnation.id)
    await bench.incarnation.beat()
    assert LEASE - 5 < await lease_left(bench) <= LEASE
    assert bench.deaths == 0


async def test_a_heartbeat_says_how_the_worker_is(bench: Bench) -> None:
    model = ServedModel("echo", 1, ModelState.FAILED, "no weights")
    report = Report("cuda", [model], [QueueReport("echo", idle=True, newest_claimed=None)])
    bench.incarnation.report = lambda: report
    await bench.incarnation.beat()
    (worker,) = await read_workers(bench.stage.db)
    assert (worker.device, worker.models) == ("cuda", (model,))
    assert worker.name == bench.incarnation.name


async def test_a_heartbeat_tells_what_the_database_notes_for_this_life(bench: Bench) -> None:
    mine = bench.incarnation.id
    running, cancelling = await bench.stage.running(mine), await bench.stage.cancelling(mine)
    await bench.stage.running(await bench.stage.worker())
    await bench.incarnation.beat()
    (held,) = bench.held_reports
    assert {*held} == {Held(*running, cancelling=False), Held(*cancelling, cancelling=True)}


async def test_a_heartbeat_that_fails_is_not_a_death(bench: Bench) -> None:
    life = bench.incarnation.id
    bench.db.away = True
    await bench.incarnation.beat()
    assert (bench.incarnation.id, bench.deaths) == (life, 0)


async def test_who_is_declared_dead_drops_everything_and_begins_a_new_life(bench: Bench) -> None:
    old = bench.incarnation.id
    await bench.stage.dead(old)
    await bench.incarnation.beat()
    assert bench.deaths == 1
    assert bench.held_reports == []
    assert bench.incarnation.id != old
    assert await state_of(bench, old) == "dead"
    assert await state_of(bench, bench.incarnation.id) == "alive"
    await bench.incarnation.beat()
    assert (bench.deaths, len(bench.held_reports)) == (1, 1)


async def test_a_new_life_waits_for_the_database(bench: Bench) -> None:
    await bench.stage.dead(bench.incarnation.id)
    bench.db.refuse["register_worker"] = 3
    await bench.incarnation.beat()
    assert await state_of(bench, bench.incarnation.id) == "alive"


async def test_registering_again_after_a_lost_answer_does_no_harm(bench: Bench) -> None:
    """The first try has happened: the second finds itself registered."""
    incarnation = Incarnation(
        bench.db, bench.incarnation.report, bench.held_reports.append, lambda: None, LEASE, interval=3600
    )
    bench.db.lose["register_worker"] = 1
    await incarnation.register()
    assert await state_of(bench, incarnation.id) == "alive"
    await incarnation.beat()
    assert bench.held_reports == [[]]


async def test_it_beats_at_its_interval(bench: Bench) -> None:
    bench.incarnation.interval = 0.001
    beating = asyncio.create_task(bench.incarnation.run())
    await bench.db.until(lambda: bench.db.asked["heartbeat"] >= 3)
    beating.cancel()


async def test_whoever_needs_a_heartbeat_gets_one_at_once(bench: Bench) -> None:
    """Also one who asks while another is under way: it may have been too early for it."""
    beating = asyncio.create_task(bench.incarnation.run())  # every hour
    bench.incarnation.beat_soon()
    answered = bench.db.hold["heartbeat"] = asyncio.Event()
    await bench.db.until(lambda: bench.db.asked["heartbeat"] == 1)
    bench.incarnation.beat_soon()
    answered.set()
    await bench.db.until(lambda: bench.db.asked["heartbeat"] == 2)
    beating.cancel()


async def test_a_goodbye_ends_the_lease_and_is_no_death(bench: Bench) -> None:
    await bench.incarnation.end()
    assert await state_of(bench, bench.incarnation.id) == "stopped"


async def test_a_goodbye_does_not_wait_for_a_database_that_is_away(bench: Bench) -> None:
    bench.db.away = True
    await bench.incarnation.end()
    assert await state_of(bench, bench.incarnation.id) == "alive"
