"""When a worker gives up its connection to the broker for a new one."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ml_service.worker.reconnecting import REST, Reconnecting, look_for_overlooked
from shared.database.outbox import find_overlooked
from shared.errors import BrokerUnavailable
from shared.queues import Provisioner
from tests.contract.database.stage import Stage
from tests.hand_broker import HandBroker
from tests.unsteady_database import UnsteadyDatabase


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_there_is_one_new_connection_for_all_who_ask_and_then_a_rest(broker: HandBroker) -> None:
    clock = Clock()
    reconnect = Reconnecting(broker, clock)
    await asyncio.gather(*(reconnect("stage", "silent") for _ in range(4)))
    assert broker.calls["reconnect"] == 1
    clock.now += REST
    await reconnect("stage", "silent")
    assert broker.calls["reconnect"] == 2


async def test_a_connection_that_cannot_be_made_is_asked_for_again(broker: HandBroker) -> None:
    clock = Clock()
    reconnect = Reconnecting(broker, clock)
    broker.faults["reconnect"] = BrokerUnavailable("no credentials")
    await reconnect("stage", "silent")
    clock.now += REST
    await reconnect("stage", "silent")
    assert broker.calls["reconnect"] == 2


LATE = {"republished": 2, "published_at": "now() - interval '11 s'"}


async def overlooked(stage: Stage, queue: str, **changes: Any) -> None:
    job_id = await stage.published(queue=queue)
    await stage.change(job_id, ", ".join(f"{name} = {value}" for name, value in {**LATE, **changes}.items()))


async def test_what_was_published_three_times_and_not_claimed_is_overlooked(db: UnsteadyDatabase, stage: Stage) -> None:
    await overlooked(stage, "silent")
    await overlooked(stage, "young", published_at="now()")
    await overlooked(stage, "once", republished=1)
    await overlooked(stage, "unpublished", published_at="NULL")
    await overlooked(stage, "another")
    queues = ["silent", "young", "once", "unpublished", "nothing there"]
    assert await find_overlooked(db, queues) == ["silent"]


@pytest.mark.parametrize("idle", [True, False])
async def test_an_idle_receiver_that_gets_nothing_of_it_is_not_trusted(
    db: UnsteadyDatabase, stage: Stage, broker: HandBroker, *, idle: bool
) -> None:
    """Pulls that come back empty, in time, for ever: nothing else would tell. Nor is its subscription: see provision.py."""
    await overlooked(stage, "stage")
    looks = 0

    def idle_queues() -> list[str]:
        nonlocal looks
        looks += 1
        return ["stage"] if idle else []

    db.refuse["find_overlooked"] = 1  # which ends nothing
    provision = Provisioner(broker, db, allowed=True)
    looking = asyncio.create_task(look_for_overlooked(db, idle_queues, Reconnecting(broker), provision, every=0.001))
    try:
        if idle:
            await broker.until(lambda: broker.calls["reconnect"] == 1)
        await reached(lambda: looks >= 5)
    finally:
        looking.cancel()
    assert broker.calls["reconnect"] == int(idle)
    assert {*broker.provisioned} == ({"stage"} if idle else set())


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
