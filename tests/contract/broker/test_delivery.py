"""Publishing, pulling, acknowledging, extending."""

import asyncio
import time

import pytest

from shared.broker.names import Names
from shared.broker.pubsub import Pubsub
from shared.errors import NotProvisioned
from tests.contract.broker.conftest import PROJECT, ack_ids, receive


async def test_a_message_arrives_as_it_was_published(broker: Pubsub, queue: str) -> None:
    await broker.publish(queue, [(b'{"v": 1}', {"model": "echo", "task": "écho"})])
    (message,) = await receive(broker.pull, 1)
    assert (message.data, message.attributes) == (b'{"v": 1}', {"model": "echo", "task": "écho"})
    assert message.delivery_attempt == 1
    assert message.message_id


async def test_more_messages_than_fit_into_one_call_all_arrive(broker: Pubsub, queue: str) -> None:
    sent = {str(number).encode() for number in range(250)}
    await broker.publish(queue, [(data, {}) for data in sent])
    received = await receive(broker.pull, 250)
    assert {message.data for message in received} == sent
    await broker.acknowledge(queue, ack_ids(received))


async def test_publishing_and_acknowledging_nothing_is_nothing(broker: Pubsub, queue: str) -> None:
    await broker.publish(queue, [])
    await broker.acknowledge(queue, [])
    await broker.extend(queue, [], 60)


async def test_a_pull_brings_no_more_than_was_asked_for(broker: Pubsub, queue: str) -> None:
    await broker.publish(queue, [(b"x", {})] * 5)
    assert len(await broker.pull(queue, 2)) <= 2


async def test_a_pull_waits_for_a_message_to_come(broker: Pubsub, queue: str) -> None:
    waiting = asyncio.create_task(receive(broker.pull, 1))
    await roundtrip(broker)
    assert not waiting.done()
    await broker.publish(queue, [(b"late", {})])
    (message,) = await waiting
    assert message.data == b"late"


async def test_what_was_acknowledged_does_not_come_again(broker: Pubsub, impatient: str) -> None:
    await broker.publish(impatient, [(b"done", {}), (b"again", {})])
    received = await receive(broker.pull, 2)
    await broker.acknowledge(impatient, [message.ack_id for message in received if message.data == b"done"])
    await broker.extend(impatient, [message.ack_id for message in received if message.data == b"again"], 0)
    for _ in range(2):
        (message,) = await broker.pull(impatient, 10)
        assert message.data == b"again"
        await broker.extend(impatient, [message.ack_id], 0)


async def test_what_is_neither_acknowledged_nor_extended_comes_again(broker: Pubsub, impatient: str) -> None:
    await broker.publish(impatient, [(b"forgotten", {})])
    (first,) = await receive(broker.pull, 1)
    await broker.extend(impatient, [first.ack_id], 1)  # the deadline of its subscription would be too long to wait for
    (second,) = await receive(broker.pull, 1)
    assert (second.message_id, second.delivery_attempt) == (first.message_id, 2)


async def test_extending_keeps_a_message_away(broker: Pubsub, impatient: str) -> None:
    await broker.publish(impatient, [(b"kept", {}), (b"released", {})])
    received = await receive(broker.pull, 2)
    await broker.extend(impatient, ack_ids(received), 1)
    await broker.extend(impatient, [message.ack_id for message in received if message.data == b"kept"], 60)
    for _ in range(2):  # by the second time the other would have come, too
        (message,) = await receive(lambda of, _: broker.pull(of, 10), 1)
        assert message.data == b"released"
        await broker.extend(impatient, [message.ack_id], 0)


async def test_what_is_handed_back_twice_stays_away_for_ten_seconds_and_an_empty_pull_is_no_error(
    broker: Pubsub, queue: str
) -> None:
    """The emulator applies the retry policy from the second time on."""
    await broker.publish(queue, [(b"back", {})])
    for _ in range(2):
        await broker.extend(queue, ack_ids(await receive(broker.pull, 1)), 0)
    began = time.monotonic()
    assert await broker.pull(queue, 1) == []
    assert 8 < time.monotonic() - began < 11


async def test_what_is_not_provisioned_is_an_error_of_its_own(broker: Pubsub) -> None:
    for refused in (
        broker.publish("echo", [(b"x", {})]),
        broker.publish_dead("echo", b"x", {}),
        broker.pull("echo", 1),
        broker.pull_dead("echo", 1),
        broker.acknowledge("echo", ["x"]),
        broker.extend("echo", ["x"], 60),
    ):
        with pytest.raises(NotProvisioned, match="ml_service register"):
            await refused


async def test_a_cancelled_pull_loses_no_message(broker: Pubsub, queue: str) -> None:
    """Each is cancelled a little later than the one before: not sent yet, on its way, answered."""
    for patience in range(0, 40, 2):
        await broker.publish(queue, [(b"wanted", {})])
        pulling = asyncio.create_task(broker.pull(queue, 1))
        for _ in range(patience):
            await asyncio.sleep(0)
        pulling.cancel()
        await asyncio.wait([pulling])
        received = await receive(broker.pull, 1, within=5) if pulling.cancelled() else pulling.result()
        await broker.acknowledge(queue, ack_ids(received))


async def test_closing_hands_back_what_a_cancelled_pull_brought(
    broker: Pubsub, broker_host: str, impatient: str, names: Names
) -> None:
    other = await Pubsub.connect(PROJECT, broker_host, names.prefix)
    pulling = asyncio.create_task(other.pull(impatient, 1))
    await roundtrip(other)
    pulling.cancel()
    await broker.publish(impatient, [(b"unseen", {})])
    await other.close()
    (message,) = await receive(broker.pull, 1, within=5)
    assert (message.data, message.delivery_attempt) == (b"unseen", 2)


async def roundtrip(broker: Pubsub) -> None:
    """When this is back, the broker has what was sent before."""
    await broker.provision("elsewhere")
