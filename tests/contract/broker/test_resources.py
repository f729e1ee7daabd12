"""Topics, subscriptions and snapshots: made, found, listed, changed, deleted; and what is refused, with which error."""

from datetime import timedelta
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound, OutOfRange
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1.types import Subscription

from shared.broker.channel import Clients
from tests.contract.broker.protocol import PROJECT, Protocol


@pytest.fixture
def ours(clients: Clients) -> Protocol:
    return Protocol(clients)


@pytest.fixture
async def made(ours: Protocol) -> Protocol:
    return await ours.create()


async def test_what_is_there_already_is_said_so(made: Protocol) -> None:
    with pytest.raises(AlreadyExists):
        await made.publisher("create_topic", name=made.topic)
    with pytest.raises(AlreadyExists):
        await made.subscribe()


async def test_what_is_not_there_is_said_so(ours: Protocol) -> None:
    topic, subscription = {"topic": ours.topic}, {"subscription": ours.subscription}
    for refused in (
        ours.publisher("get_topic", **topic),
        ours.publisher("delete_topic", **topic),
        ours.publish("x"),
        ours.subscribe(),
        ours.subscriber("get_subscription", **subscription),
        ours.subscriber("delete_subscription", **subscription),
        ours.subscriber("pull", **subscription, max_messages=1),
        ours.subscriber("acknowledge", **subscription, ack_ids=["x"]),
        ours.subscriber("seek", **subscription, time={"seconds": 1}),
        ours.subscriber("create_snapshot", name=f"{PROJECT}/snapshots/{ours.id}", **subscription),
        ours.subscriber("delete_snapshot", snapshot=f"{PROJECT}/snapshots/{ours.id}"),
    ):
        with pytest.raises(NotFound):
            await refused


@pytest.mark.parametrize("name", ["ab", "1abc", "googabc", "a" * 256, "a b c", "a$c"])
async def test_a_name_that_is_not_allowed_is_refused(ours: Protocol, name: str) -> None:
    with pytest.raises(InvalidArgument):
        await ours.publisher("create_topic", name=f"{PROJECT}/topics/{name}")


async def test_a_name_of_something_else_is_refused(ours: Protocol) -> None:
    for name in ("nonsense", f"{PROJECT}/subscriptions/abc"):
        with pytest.raises(InvalidArgument):
            await ours.publisher("create_topic", name=name)
        with pytest.raises(InvalidArgument):
            await ours.publisher("get_topic", topic=name)


async def test_the_defaults_of_a_subscription(made: Protocol) -> None:
    subscription: Subscription = await made.subscriber("get_subscription", subscription=made.subscription)
    assert subscription.ack_deadline_seconds == 10
    assert subscription.message_retention_duration == timedelta(days=7)
    assert not subscription.enable_message_ordering
    assert "retry_policy" not in subscription
    assert "dead_letter_policy" not in subscription


async def test_an_empty_retry_policy_means_from_ten_seconds_to_ten_minutes(ours: Protocol) -> None:
    await ours.publisher("create_topic", name=ours.topic)
    subscription = await ours.subscribe(retry_policy={})
    assert subscription.retry_policy.minimum_backoff == timedelta(seconds=10)
    assert subscription.retry_policy.maximum_backoff == timedelta(seconds=600)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"ack_deadline_seconds": 601}, InvalidArgument),
        ({"ack_deadline_seconds": -1}, InvalidArgument),
        ({"message_retention_duration": {"seconds": 1}}, InvalidArgument),
        ({"message_retention_duration": {"seconds": 32 * 86_400}}, InvalidArgument),
        ({"retry_policy": {"minimum_backoff": {"seconds": 601}}}, InvalidArgument),
        ({"retry_policy": {"minimum_backoff": {"seconds": 9}, "maximum_backoff": {"seconds": 8}}}, InvalidArgument),
        ({"dead_letter_policy": {"dead_letter_topic": f"{PROJECT}/topics/missing"}}, NotFound),
        ({"dead_letter_policy": {"dead_letter_topic": "TOPIC", "max_delivery_attempts": 4}}, OutOfRange),
        ({"dead_letter_policy": {"dead_letter_topic": "TOPIC", "max_delivery_attempts": 101}}, OutOfRange),
        ({"topic": "nonsense"}, InvalidArgument),
    ],
)
async def test_settings_that_are_not_allowed_are_refused(
    ours: Protocol, settings: dict[str, Any], error: type[Exception]
) -> None:
    await ours.publisher("create_topic", name=ours.topic)
    if settings.get("dead_letter_policy", {}).get("dead_letter_topic") == "TOPIC":
        settings = {"dead_letter_policy": settings["dead_letter_policy"] | {"dead_letter_topic": ours.topic}}
    with pytest.raises(error):
        await ours.subscribe(**settings)


async def test_a_field_mask_says_what_is_changed(made: Protocol) -> None:
    wanted = {"name": made.subscription, "ack_deadline_seconds": 20, "retain_acked_messages": True}
    mask = FieldMask(paths=["ack_deadline_seconds"])
    await made.subscriber("update_subscription", subscription=wanted, update_mask=mask)
    subscription = await made.subscriber("get_subscription", subscription=made.subscription)
    assert (subscription.ack_deadline_seconds, subscription.retain_acked_messages) == (20, False)


@pytest.mark.parametrize("paths", [[], ["bogus"], ["topic"], ["enable_message_ordering"], ["filter"], ["name"]])
async def test_a_field_mask_that_is_not_allowed_is_refused(made: Protocol, paths: list[str]) -> None:
    wanted = {"name": made.subscription, "topic": "x", "enable_message_ordering": True, "filter": "attributes:x"}
    with pytest.raises(InvalidArgument):
        await made.subscriber("update_subscription", subscription=wanted, update_mask=FieldMask(paths=paths))


async def test_lists_come_in_pages_and_are_complete(made: Protocol) -> None:
    topics = {f"{made.topic}-{number}" for number in range(5)}
    for topic in topics:
        await made.publisher("create_topic", name=topic)
    listed = [topic.name async for topic in await made.publisher("list_topics", project=PROJECT, page_size=2)]
    assert topics < set(listed)
    assert len(listed) == len(set(listed))
    other = await made.publisher("list_topics", project="projects/other", page_size=2)
    assert [topic async for topic in other] == []


async def test_the_subscriptions_of_a_topic_and_of_a_project_are_listed(made: Protocol) -> None:
    of_topic = await made.publisher("list_topic_subscriptions", topic=made.topic)
    assert [name async for name in of_topic] == [made.subscription]
    listed = await made.subscriber("list_subscriptions", project=PROJECT)
    assert made.subscription in {one.name async for one in listed}


async def test_a_subscription_outlives_its_topic_with_what_it_has(made: Protocol) -> None:
    await made.publish("left")
    await made.publisher("delete_topic", topic=made.topic)
    subscription = await made.subscriber("get_subscription", subscription=made.subscription)
    assert subscription.topic == "_deleted-topic_"
    assert await made.texts(1) == ["left"]


async def test_snapshots_are_found_and_deleted(made: Protocol) -> None:
    name = f"{PROJECT}/snapshots/{made.id}"
    snapshot = await made.subscriber("create_snapshot", name=name, subscription=made.subscription)
    assert snapshot.topic == made.topic
    with pytest.raises(AlreadyExists):
        await made.subscriber("create_snapshot", name=name, subscription=made.subscription)
    assert await made.subscriber("get_snapshot", snapshot=name) == snapshot
    assert name in {one.name async for one in await made.subscriber("list_snapshots", project=PROJECT)}
    await made.subscriber("delete_snapshot", snapshot=name)
    with pytest.raises(NotFound):
        await made.subscriber("get_snapshot", snapshot=name)
