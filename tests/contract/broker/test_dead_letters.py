from shared.broker.pubsub import Pubsub
from tests.contract.broker.conftest import ack_ids, receive


async def test_what_is_delivered_too_often_ends_among_the_dead_letters(broker: Pubsub, impatient: str) -> None:
    await broker.publish(impatient, [(b"poison", {"model": "echo"})])
    for attempt in range(1, 6):
        (message,) = await receive(broker.pull, 1)
        assert message.delivery_attempt == attempt
        await broker.extend(impatient, [message.ack_id], 0)
    await broker.publish(impatient, [(b"healthy", {})])
    (message,) = await receive(broker.pull, 1)  # only then does the emulator look through the queue
    assert message.data == b"healthy"
    (dead,) = await receive(broker.pull_dead, 1)
    assert dead.data == b"poison"
    assert dead.attributes["model"] == "echo"
    await broker.acknowledge_dead(impatient, [dead.ack_id])


async def test_a_dead_letter_carries_its_reason(broker: Pubsub, queue: str) -> None:
    await broker.publish_dead(queue, b"\xff", {"model": "echo", "reason": "the data is not JSON"})
    (dead,) = await receive(broker.pull_dead, 1)
    assert (dead.data, dead.attributes) == (b"\xff", {"model": "echo", "reason": "the data is not JSON"})


async def test_a_reason_too_long_for_an_attribute_is_cut(broker: Pubsub, queue: str) -> None:
    await broker.publish_dead(queue, b"", {"reason": "é" * 2_000})
    (dead,) = await receive(broker.pull_dead, 1)
    assert dead.attributes["reason"] == "é" * 512


async def test_acknowledged_dead_letters_are_gone(broker: Pubsub, queue: str) -> None:
    await broker.publish_dead(queue, b"x", {"reason": "none"})
    await broker.acknowledge_dead(queue, ack_ids(await receive(broker.pull_dead, 1)))
    assert await broker.pull_dead(queue, 1) == []
