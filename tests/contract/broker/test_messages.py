"""What happens to messages, where our own broker layer does not look: limits, orders, seeks, dead letters, streams."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import GoogleAPICallError, InvalidArgument
from google.pubsub_v1.types import StreamingPullRequest
from google.rpc.error_details_pb2 import ErrorInfo

from shared.broker.channel import Clients
from tests.contract.broker.protocol import PROJECT, Protocol, text


@pytest.fixture
def ours(clients: Clients) -> Protocol:
    return Protocol(clients)


@pytest.fixture
async def queue(ours: Protocol) -> Protocol:
    return await ours.create()


@pytest.mark.parametrize("messages", [[], [{}], [{"data": b"x"}] * 1_001], ids=["none", "empty", "too many"])
async def test_a_publish_that_is_not_allowed_is_refused(queue: Protocol, messages: list[Any]) -> None:
    with pytest.raises(InvalidArgument):
        await queue.publisher("publish", topic=queue.topic, messages=messages)


async def test_ids_differ_and_belong_to_their_messages(queue: Protocol) -> None:
    published = await queue.publish("a", "b", "c")
    assert len(set(published)) == 3
    received = {text(one): one.message.message_id for one in await queue.pull(3)}
    assert [received[letter] for letter in "abc"] == published


async def test_a_message_has_its_time_and_key(queue: Protocol) -> None:
    await queue.publish("x", key="key")
    (message,) = await queue.pull(1)
    assert abs((datetime.now(UTC) - message.message.publish_time).total_seconds()) < 5
    assert message.message.ordering_key == "key"
    assert message.delivery_attempt == 0  # nobody counts without a dead-letter policy


async def test_each_subscription_has_its_own_copy(queue: Protocol) -> None:
    other = Protocol(queue.clients)
    other.topic = queue.topic
    await other.subscribe()
    await queue.publish("x")
    await queue.ack(*await queue.pull(1))
    assert await other.texts(1) == ["x"]


async def test_a_message_from_before_a_subscription_is_not_for_it(queue: Protocol) -> None:
    await queue.publish("before")
    other = Protocol(queue.clients)
    other.topic = queue.topic
    await other.subscribe()
    await queue.publish("after")
    assert await other.texts(1) == ["after"]


@pytest.mark.filterwarnings("ignore:The return_immediately flag")
async def test_a_pull_that_will_not_wait_is_answered_at_once(queue: Protocol) -> None:
    request = {"subscription": queue.subscription, "max_messages": 1, "return_immediately": True}
    async with asyncio.timeout(5):
        assert not (await queue.subscriber("pull", **request)).received_messages


@pytest.mark.parametrize("ack_ids", [[], ["bogus"]])
async def test_ack_ids_that_cannot_be_are_refused(queue: Protocol, ack_ids: list[str]) -> None:
    request: dict[str, Any] = {"subscription": queue.subscription, "ack_ids": ack_ids}
    with pytest.raises(InvalidArgument):
        await queue.subscriber("acknowledge", **request)
    with pytest.raises(InvalidArgument):
        await queue.subscriber("modify_ack_deadline", **request, ack_deadline_seconds=10)


async def test_an_extension_into_the_past_is_refused(queue: Protocol) -> None:
    await queue.publish("x")
    received = await queue.pull(1)
    with pytest.raises(InvalidArgument):
        await queue.extend(-1, *received)


async def test_acknowledging_twice_is_no_error(queue: Protocol) -> None:
    await queue.publish("x")
    received = await queue.pull(1)
    await queue.ack(*received)
    await queue.ack(*received)


async def test_a_late_acknowledgement_counts_until_the_message_was_delivered_again(queue: Protocol) -> None:
    await queue.publish("late")
    received = await queue.pull(1)
    await queue.extend(1, *received)
    await asyncio.sleep(1.5)  # nothing tells that a deadline has passed
    await queue.ack(*received)
    await queue.publish("next")
    assert await queue.texts(1) == ["next"]


async def test_an_acknowledgement_of_the_delivery_before_means_nothing(queue: Protocol) -> None:
    await queue.publish("x")
    first = await queue.pull(1)
    await queue.extend(1, *first)
    second = await queue.pull(1)
    await queue.ack(*first)
    await queue.extend(0, *second)
    assert await queue.texts(1) == ["x"]


async def test_a_key_comes_in_order(ours: Protocol) -> None:
    queue = await ours.create(enable_message_ordering=True)
    sent = {key: [f"{key}{number}" for number in range(5)] for key in "ab"}
    for key, texts in sent.items():
        await queue.publish(*texts, key=key)
    got: dict[str, list[str]] = {"a": [], "b": []}
    while sum(map(len, got.values())) < 10:
        for message in await queue.pull(1):
            got[text(message)[0]].append(text(message))
            await queue.ack(message)
    assert got == sent


async def test_while_one_of_a_key_is_out_nobody_gets_the_next(ours: Protocol) -> None:
    queue = await ours.create(enable_message_ordering=True)
    await queue.publish("a1", "a2", key="a")
    (first,) = await queue.pull(1)
    await queue.publish("other", key="b")
    assert await queue.texts(1) == ["other"]
    await queue.ack(first)
    assert await queue.texts(1) == ["a2"]


async def test_a_seek_back_brings_what_was_acknowledged_and_one_forward_ends_it(ours: Protocol) -> None:
    queue = await ours.create(retain_acked_messages=True)
    await queue.publish("before")
    await queue.ack(*await queue.pull(1))
    await asyncio.sleep(0.1)  # publish times may be rounded
    time = datetime.now(UTC)
    await asyncio.sleep(0.1)
    await queue.publish("a", "b")
    await queue.ack(*await queue.pull(2))
    await queue.subscriber("seek", subscription=queue.subscription, time=time)
    assert sorted(await queue.texts(2)) == ["a", "b"]
    await asyncio.sleep(0.1)
    await queue.subscriber("seek", subscription=queue.subscription, time=datetime.now(UTC))
    await queue.publish("after")
    assert await queue.texts(1) == ["after"]


async def test_a_seek_to_a_snapshot_brings_what_was_not_acknowledged_then_or_came_since(ours: Protocol) -> None:
    queue = await ours.create()
    name = f"{PROJECT}/snapshots/{ours.id}"
    await queue.publish("acked")
    await queue.ack(*await queue.pull(1))
    await queue.publish("waiting")
    await queue.subscriber("create_snapshot", name=name, subscription=queue.subscription)
    await queue.publish("since")
    await queue.ack(*await queue.pull(2))
    await queue.subscriber("seek", subscription=queue.subscription, snapshot=name)
    assert sorted(await queue.texts(2)) == ["since", "waiting"]


async def test_a_seek_needs_a_target(queue: Protocol) -> None:
    with pytest.raises(InvalidArgument):
        await queue.subscriber("seek", subscription=queue.subscription)


async def test_a_dead_letter_tells_where_it_comes_from(ours: Protocol) -> None:
    grave = await Protocol(ours.clients).create()
    queue = await ours.create(dead_letter_policy={"dead_letter_topic": grave.topic, "max_delivery_attempts": 5})
    await queue.publish("poison", key="key", colour="red")
    (first,) = await queue.pull(1)
    await queue.extend(0, first)
    for _ in range(4):
        await queue.extend(0, *await queue.pull(1))
    await queue.publish("healthy")
    await queue.pull(1)  # only then does the emulator look through the queue
    (dead,) = await grave.pull(1)
    source = "CloudPubSubDeadLetterSource"
    attributes = dict(dead.message.attributes)
    published = datetime.fromisoformat(attributes.pop(f"{source}TopicPublishTime"))
    assert abs((published - first.message.publish_time).total_seconds()) < 0.001
    assert attributes == {
        "colour": "red",
        f"{source}DeliveryCount": "5",
        f"{source}Subscription": queue.id,
        f"{source}SubscriptionProject": PROJECT.removeprefix("projects/"),
    }
    assert (text(dead), dead.message.ordering_key) == ("poison", "key")
    assert dead.message.message_id != first.message.message_id


async def test_with_exactly_once_delivery_a_second_acknowledgement_fails_by_its_id(ours: Protocol) -> None:
    queue = await ours.create(enable_exactly_once_delivery=True)
    await queue.publish("once")
    received = await queue.pull(1)
    await queue.ack(*received)
    for refused in (queue.ack(*received), queue.extend(20, *received)):
        with pytest.raises(GoogleAPICallError) as caught:
            await refused
        (detail,) = [detail for detail in caught.value.details if isinstance(detail, ErrorInfo)]
        assert detail.reason == "EXACTLY_ONCE_ACKID_FAILURE"
        assert dict(detail.metadata) == {received[0].ack_id: "PERMANENT_FAILURE_INVALID_ACK_ID"}


async def said(asked: "asyncio.Queue[dict[str, Any]]") -> AsyncIterator[StreamingPullRequest]:
    while True:
        yield StreamingPullRequest(**await asked.get())


async def test_a_stream_brings_messages_as_they_come_and_takes_acknowledgements_beside_them(queue: Protocol) -> None:
    begin = {"subscription": queue.subscription, "stream_ack_deadline_seconds": 10}
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asked.put_nowait(begin)
    responses: Any = await queue.clients.subscriber.streaming_pull(requests=said(asked), timeout=90)
    for letter in "ab":
        await queue.publish(letter)
        async with asyncio.timeout(60):
            (message,) = (await anext(aiter(responses))).received_messages
        assert text(message) == letter
        asked.put_nowait({"ack_ids": [message.ack_id]})
    await asyncio.sleep(0.2)  # nothing answers an acknowledgement
    responses.cancel()
    await queue.publish("after")
    assert await queue.texts(1) == ["after"]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"stream_ack_deadline_seconds": 9}, {}),
        ({"stream_ack_deadline_seconds": 0}, {}),
        ({}, {"ack_ids": ["bogus"]}),
        ({}, {"modify_deadline_ack_ids": ["bogus"]}),
    ],
    ids=["short", "none", "ack id", "deadlines"],
)
async def test_what_a_stream_may_not_say_ends_it(queue: Protocol, first: dict[str, Any], then: dict[str, Any]) -> None:
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asked.put_nowait({"subscription": queue.subscription, "stream_ack_deadline_seconds": 10, **first})
    if then:
        asked.put_nowait(then)
    responses: Any = await queue.clients.subscriber.streaming_pull(requests=said(asked), timeout=90)
    async with asyncio.timeout(60):
        assert await responses.code() is grpc.StatusCode.INVALID_ARGUMENT
