"""Faults on request, told over the wire as another process would."""

import asyncio
import time
from collections.abc import Callable

import pytest
from google.api_core.exceptions import DeadlineExceeded, InternalServerError, NotFound, ServiceUnavailable

from deploy.local.standin.control import Control, Fault, Kind
from deploy.local.standin.server import StandIn
from shared.broker.channel import Clients
from shared.errors import BrokerUnavailable
from tests.integration.standin.conftest import Queue
from tests.integration.standin.test_streaming import streaming


async def test_a_dropped_message_never_comes(queue: Queue, control: Control) -> None:
    await control.inject(Fault(kind=Kind.DROP, resource=queue.id, limit=1))
    await queue.publish("lost", "kept")
    assert await queue.texts() == ["kept"]
    assert (await control.report()).injected[Kind.DROP] == 1


async def test_a_repeated_message_comes_again_although_it_was_acknowledged(queue: Queue, control: Control) -> None:
    await control.inject(Fault(kind=Kind.REPEAT, seconds=0.2))
    await queue.publish("twice")
    first = await queue.pull()
    await queue.ack(first)
    second = await queue.pull()
    assert first[0].message == second[0].message
    assert first[0].ack_id != second[0].ack_id


async def test_a_delayed_message_comes_later_and_wakes_who_waits(queue: Queue, control: Control) -> None:
    await control.inject(Fault(kind=Kind.DELAY, seconds=0.3))
    began = time.monotonic()
    await queue.publish("late")
    assert await queue.texts() == ["late"]
    assert time.monotonic() - began >= 0.25


async def test_reordered_messages_come_in_another_order(queue: Queue, control: Control) -> None:
    await control.seed(1)
    await control.inject(Fault(kind=Kind.REORDER))
    sent = list(map(str, range(50)))
    await queue.publish(*sent)
    texts = await queue.texts()
    assert texts != sent
    assert sorted(texts, key=int) == sent


async def test_calls_are_refused_as_told_for_those_named_and_as_often(queue: Queue, control: Control) -> None:
    refuse = Fault(kind=Kind.REFUSE, method="Publish", resource=queue.topic, status="INTERNAL", text="no", limit=2)
    await control.inject(refuse)
    for _ in range(2):
        with pytest.raises(InternalServerError, match="no"):
            await queue.publish("a")
    await queue.publish("b")
    assert await queue.texts() == ["b"]
    assert (await control.report()).injected[Kind.REFUSE] == 2


async def test_a_stream_is_refused_too(server: StandIn, queue: Queue, control: Control) -> None:
    await control.inject(Fault(kind=Kind.REFUSE, method="StreamingPull", status="ABORTED"))
    async with streaming(server, queue) as stream:
        assert (await stream.end())[0].name == "ABORTED"


async def test_a_call_hangs_until_its_caller_gives_up(queue: Queue, control: Control) -> None:
    await control.inject(Fault(kind=Kind.HANG, method="Acknowledge"))
    await queue.publish("a")
    messages = await queue.pull()
    with pytest.raises(DeadlineExceeded):
        await queue.clients.subscriber.acknowledge(
            subscription=queue.name, ack_ids=[messages[0].ack_id], retry=None, timeout=0.3
        )


async def test_calls_that_hang_go_on_when_their_fault_is_withdrawn(
    server: StandIn, queue: Queue, control: Control
) -> None:
    await control.inject(Fault(kind=Kind.HANG, method="Publish"))
    publishing = asyncio.create_task(queue.publish("a"))
    await until_injected(control, 1)
    assert not publishing.done()
    assert (await control.withdraw()).injected[Kind.HANG] == 1
    await publishing
    assert await queue.texts() == ["a"]
    assert (await control.report()).told == ()


async def test_a_call_that_hangs_for_a_while_goes_on(queue: Queue, control: Control) -> None:
    await control.inject(Fault(kind=Kind.HANG, method="Publish", seconds=0.2))
    began = time.monotonic()
    await queue.publish("a")
    assert time.monotonic() - began >= 0.2


async def until_injected(control: Control, times: int) -> None:
    async with asyncio.timeout(10):
        while sum((await control.report()).injected.values()) < times:
            await asyncio.sleep(0.01)


async def test_one_fault_of_several_is_withdrawn(queue: Queue, control: Control) -> None:
    number = await control.inject(Fault(kind=Kind.DROP))
    await control.inject(Fault(kind=Kind.REPEAT))
    await control.withdraw(number)
    await queue.publish("twice")
    assert await queue.texts() == ["twice", "twice"]


async def test_streams_are_closed_as_told(server: StandIn, queue: Queue, control: Control) -> None:
    async with streaming(server, queue) as stream:
        await until(lambda: bool(server.registry.subscriptions[queue.name].streams))
        assert await control.close_streams("other") == 0
        assert await control.close_streams(queue.id, "INTERNAL") == 1
        assert (await stream.end())[0].name == "INTERNAL"


async def until(sign: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not sign():
            await asyncio.sleep(0.001)


async def test_everything_is_forgotten_and_whoever_waits_is_told(
    server: StandIn, queue: Queue, control: Control
) -> None:
    pull = asyncio.create_task(queue.pull())
    desk = server.registry.subscriptions[queue.name].desk
    await until(lambda: bool(desk._waiting))
    await control.forget()
    with pytest.raises(NotFound):
        await pull
    with pytest.raises(NotFound):
        await queue.publish("a")


async def test_a_dead_letter_meets_the_faults_of_its_topic(queue: Queue, clients: Clients, control: Control) -> None:
    policy = {"dead_letter_topic": queue.topic, "max_delivery_attempts": 5}
    poisoned = await Queue(clients).create(dead_letter_policy=policy)
    await control.inject(Fault(kind=Kind.REPEAT, resource=queue.topic))
    await poisoned.publish("poison")
    for _ in range(5):
        await poisoned.extend(0, *await poisoned.pull())
    assert await queue.texts() == ["poison", "poison"]


@pytest.mark.parametrize("status", ["OK", "BOGUS"])
async def test_an_impossible_status_is_refused(control: Control, status: str) -> None:
    with pytest.raises(BrokerUnavailable, match=status):
        await control.inject(Fault(kind=Kind.REFUSE, status=status))


async def test_who_controls_is_never_refused(control: Control, queue: Queue) -> None:
    await control.inject(Fault(kind=Kind.REFUSE))
    with pytest.raises(ServiceUnavailable, match="as told"):
        await queue.publish("a")
    await control.withdraw()
    await queue.publish("a")
