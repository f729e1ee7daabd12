"""Messages in hand (rule 5): told apart, kept from the broker, acked in the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from ml_service.worker import desk as desk_module
from ml_service.worker.desk import Desk
from shared.errors import BrokerUnavailable, NotProvisioned
from tests.hand_broker import HandBroker, delivery, raw

JOB = uuid4()


@pytest.fixture
def broker() -> HandBroker:
    return HandBroker()


@pytest.fixture
def desk(broker: HandBroker) -> Desk:
    async def provision(queue: str) -> None:
        await broker.provision(queue)

    return Desk(broker, provision)


@asynccontextmanager
async def going_on(part: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(part())
    yield task
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_can_be_read_is_new_once(desk: Desk) -> None:
    first, second = delivery(JOB), delivery(uuid4())
    new = await desk.take_in("echo", [first, second])
    assert [job.job_id for job in new] == [JOB, new[1].job_id]
    assert [job.queue for job in new] == ["echo", "echo"]
    assert await desk.take_in("echo", [delivery(JOB)]) == []
    assert len(desk) == 2


async def test_a_repeated_delivery_is_acked_with_the_first(desk: Desk, broker: HandBroker) -> None:
    first, again = delivery(JOB), delivery(JOB)
    new = await desk.take_in("echo", [first])
    await desk.take_in("echo", [again])
    desk.done(new)
    await desk.flush_acks()
    assert broker.acked == {first.ack_id, again.ack_id}


async def test_a_later_entry_into_queued_is_a_message_of_its_own(desk: Desk, broker: HandBroker) -> None:
    """Rule 2: acked with its predecessor, it would be lost."""
    old, newer = delivery(JOB, publish_no=1), delivery(JOB, publish_no=2)
    jobs = await desk.take_in("echo", [old, newer])
    assert [job.message.publish_no for job in jobs] == [1, 2]
    desk.done(jobs[:1])
    await desk.flush_acks()
    assert broker.acked == {old.ack_id}
    assert len(desk) == 1


async def test_nothing_is_acked_before_it_is_done(desk: Desk, broker: HandBroker) -> None:
    await desk.take_in("echo", [delivery(JOB)])
    await desk.flush_acks()
    assert broker.acked == set()


async def test_what_is_dropped_is_neither_acked_nor_known_any_more(desk: Desk, broker: HandBroker) -> None:
    first, again = delivery(JOB), delivery(JOB)
    desk.drop(await desk.take_in("echo", [first]))
    assert len(desk) == 0
    (new,) = await desk.take_in("echo", [again])
    desk.done([new])
    await desk.flush_acks()
    assert broker.acked == {again.ack_id}


async def test_dropping_an_old_acquaintance_leaves_the_new_one(desk: Desk) -> None:
    """An attempt that ends late must not take its successor's message out of hand."""
    old = await desk.take_in("echo", [delivery(JOB)])
    desk.drop(old)
    await desk.take_in("echo", [delivery(JOB)])
    desk.drop(old)
    assert len(desk) == 1


async def test_everything_in_hand_is_extended_time_and_again(
    desk: Desk, broker: HandBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 5: what is kept is kept from being delivered elsewhere, repeated deliveries included."""
    monkeypatch.setattr(desk_module, "EXTEND_EVERY", 0.001)
    messages = [delivery(JOB), delivery(JOB), delivery(uuid4())]
    jobs = await desk.take_in("echo", messages)
    async with going_on(desk.run_extending):
        await broker.until(lambda: len(broker.extended) >= 2)
        assert broker.extended[:2] == [{one.ack_id for one in messages}] * 2
        desk.done(jobs[:1])
        broker.extended.clear()
        await broker.until(lambda: bool(broker.extended))
        assert broker.extended[0] == {messages[2].ack_id}


async def test_extending_goes_on_after_a_failure(
    desk: Desk, broker: HandBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "EXTEND_EVERY", 0.001)
    broker.faults["extend"] = BrokerUnavailable("away")
    await desk.take_in("echo", [delivery(JOB)])
    async with going_on(desk.run_extending):
        await broker.until(lambda: broker.calls["extend"] >= 1)
        broker.faults["extend"] = NotProvisioned("gone")
        await broker.until(lambda: broker.calls["extend"] >= 3)


async def test_acks_that_fall_together_go_in_one_call(desk: Desk, broker: HandBroker) -> None:
    jobs = await desk.take_in("echo", [delivery(uuid4()) for _ in range(3)])
    async with going_on(desk.run_acking):
        for job in jobs:
            desk.done([job])
            await asyncio.sleep(0)
        await broker.until(lambda: len(broker.acked) == 3)
        assert broker.calls["acknowledge"] == 1


async def test_lost_acks_do_no_harm(desk: Desk, broker: HandBroker) -> None:
    """An ack is never proof of anything: what comes again is a new message, and its row says that it is finished."""
    broker.faults["acknowledge"] = BrokerUnavailable("away")
    jobs = await desk.take_in("echo", [delivery(JOB)])
    async with going_on(desk.run_acking):
        desk.done(jobs)
        await broker.until(lambda: broker.calls["acknowledge"] == 1)
        del broker.faults["acknowledge"]
        again = delivery(JOB)
        (new,) = await desk.take_in("echo", [again])
        desk.done([new])
        await broker.until(lambda: bool(broker.acked))
        assert broker.acked == {again.ack_id}


async def test_what_cannot_be_read_is_buried_with_its_reason_and_acked(desk: Desk, broker: HandBroker) -> None:
    """Rule 5. The others of its delivery are taken in."""
    bad, good = raw(b"{", {"model": "echo"}), delivery(JOB)
    new = await desk.take_in("stage", [bad, good])
    assert [job.job_id for job in new] == [JOB]
    ((queue, data, attributes),) = broker.buried
    assert (queue, data, attributes["model"]) == ("stage", b"{", "echo")
    assert "not JSON" in attributes["reason"]
    await desk.flush_acks()
    assert broker.acked == {bad.ack_id}


async def test_a_message_of_a_later_release_is_buried_with_its_reason(desk: Desk, broker: HandBroker) -> None:
    """Its row is still queued: whoever can read it gets it again, and nothing fails."""
    later = raw(b'{"v": 2, "job": {"id": "7"}}', {"model": "echo", "task": "inference"})
    assert await desk.take_in("stage", [later]) == []
    ((_, _, attributes),) = broker.buried
    assert attributes["reason"] == "version 2 of the message, where 1 is understood"


async def test_a_message_with_more_in_it_than_is_known_is_taken_in(desk: Desk) -> None:
    """A later release may add fields without a new version."""
    data = f'{{"v": 1, "job_id": "{JOB}", "publish_no": 3, "priority": 9}}'.encode()
    (job,) = await desk.take_in("stage", [raw(data, {"model": "echo", "task": "inference", "region": "moon"})])
    assert job.key == (JOB, 3)


async def test_what_cannot_be_buried_stays_with_the_broker(desk: Desk, broker: HandBroker) -> None:
    """Rule 5: unacked, it is delivered again when the broker is back."""
    broker.faults["publish_dead"] = BrokerUnavailable("away")
    bad = raw(b"{")
    assert await desk.take_in("echo", [bad]) == []
    await desk.flush_acks()
    assert (broker.buried, broker.acked) == ([], set())
    del broker.faults["publish_dead"]
    await desk.take_in("echo", [bad])
    await desk.flush_acks()
    assert len(broker.buried) == 1
    assert broker.acked == {bad.ack_id}


async def test_a_queue_that_has_no_place_for_it_any_more_is_given_one(desk: Desk, broker: HandBroker) -> None:
    """Nobody else would miss it: what reads the dead letters has its subscription still."""
    broker.faults["publish_dead"] = NotProvisioned("no topic")
    bad = raw(b"{")
    assert await desk.take_in("echo", [bad]) == []
    assert broker.provisioned == ["echo"]
    del broker.faults["publish_dead"]
    await desk.take_in("echo", [bad])
    assert len(broker.buried) == 1
