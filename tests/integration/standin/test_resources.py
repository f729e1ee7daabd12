"""What Google's emulator does not have or does not check, so that no contract test of both can."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import FailedPrecondition, InvalidArgument, MethodNotImplemented, NotFound
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1.services.schema_service import SchemaServiceAsyncClient
from google.pubsub_v1.services.schema_service.transports import SchemaServiceGrpcAsyncIOTransport

from deploy.local.standin.server import StandIn
from shared.broker.channel import Clients
from tests.integration.standin.conftest import TIMEOUT, Queue


async def publisher(clients: Clients, method: str, **request: Any) -> Any:
    return await getattr(clients.publisher, method)(request=request, retry=None, timeout=TIMEOUT)


async def subscriber(clients: Clients, method: str, **request: Any) -> Any:
    return await getattr(clients.subscriber, method)(request=request, retry=None, timeout=TIMEOUT)


@pytest.mark.parametrize(
    "message",
    [
        {"data": b"x" * 10_000_001},
        {"attributes": {str(number): "x" for number in range(101)}},
        {"attributes": {"k" * 257: "x"}},
        {"attributes": {"k": "é" * 513}},
        {"attributes": {"": "x"}},
        {"attributes": {"google": "x"}},
        {"data": b"x", "ordering_key": "k" * 1_025},
    ],
    ids=["large", "many", "key", "value", "empty key", "reserved", "ordering key"],
)
async def test_messages_have_limits(queue: Queue, message: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        await publisher(queue.clients, "publish", topic=queue.topic, messages=[message])


async def test_what_client_libraries_add_to_a_message_passes(queue: Queue) -> None:
    attributes = {"googclient_traceparent": "x"}
    await publisher(queue.clients, "publish", topic=queue.topic, messages=[{"attributes": attributes}])


@pytest.mark.parametrize(
    "settings",
    [
        {"ack_deadline_seconds": 9},
        {"expiration_policy": {"ttl": timedelta(hours=23)}},
        {"filter": "bogus"},
        {"labels": {str(number): "x" for number in range(65)}},
    ],
    ids=lambda settings: next(iter(settings)),
)
async def test_settings_have_limits(queue: Queue, settings: dict[str, Any]) -> None:
    other = Queue(queue.clients)
    with pytest.raises(InvalidArgument):
        await subscriber(queue.clients, "create_subscription", name=other.name, topic=queue.topic, **settings)


async def test_what_would_silently_not_happen_is_refused(queue: Queue) -> None:
    other = Queue(queue.clients)
    settings = {"bigquery_config": {"table": "x"}}
    with pytest.raises(MethodNotImplemented, match="bigquery_config"):
        await subscriber(queue.clients, "create_subscription", name=other.name, topic=queue.topic, **settings)
    with pytest.raises(MethodNotImplemented, match="schema_settings"):
        await publisher(queue.clients, "create_topic", name=other.topic, schema_settings={"schema": "x"})


async def test_there_are_no_schemas(server: StandIn, clients: Clients) -> None:
    transport = SchemaServiceGrpcAsyncIOTransport(channel=clients.channels[0])
    with pytest.raises(MethodNotImplemented, match="no schemas"):
        await SchemaServiceAsyncClient(transport=transport).list_schemas(parent="projects/test", timeout=TIMEOUT)


async def test_a_filter_chooses_what_comes(clients: Clients) -> None:
    queue = await Queue(clients).create(filter='attributes.colour = "red"')
    messages = [{"data": colour.encode(), "attributes": {"colour": colour}} for colour in ("blue", "red")]
    await publisher(clients, "publish", topic=queue.topic, messages=messages)
    assert await queue.texts() == ["red"]


async def test_a_topic_is_changed_by_field_mask(queue: Queue) -> None:
    wanted = {"name": queue.topic, "labels": {"a": "b"}, "kms_key_name": "left out"}
    mask = FieldMask(paths=["labels"])
    await publisher(queue.clients, "update_topic", topic=wanted, update_mask=mask)
    topic = await publisher(queue.clients, "get_topic", topic=queue.topic)
    assert (dict(topic.labels), topic.kms_key_name) == ({"a": "b"}, "")
    for paths in ([], ["name"], ["bogus"]):
        with pytest.raises(InvalidArgument):
            await publisher(queue.clients, "update_topic", topic=wanted, update_mask=FieldMask(paths=paths))


async def test_a_changed_subscription_acts_so_at_once(queue: Queue) -> None:
    wanted = {"name": queue.name, "retry_policy": {"minimum_backoff": timedelta(seconds=30)}}
    mask = FieldMask(paths=["retry_policy.minimum_backoff", "retain_acked_messages"])
    await subscriber(queue.clients, "update_subscription", subscription=wanted, update_mask=mask)
    await queue.publish("a")
    await queue.extend(0, *await queue.pull())
    assert await queue.texts(timeout=0.3) == []


async def test_what_a_topic_retains_comes_back_to_subscriptions_made_later(queue: Queue) -> None:
    topic = {"name": queue.topic, "message_retention_duration": timedelta(hours=1)}
    mask = FieldMask(paths=["message_retention_duration"])
    await publisher(queue.clients, "update_topic", topic=topic, update_mask=mask)
    since = datetime.now(UTC)
    await queue.publish("before")
    later = Queue(queue.clients)
    await subscriber(queue.clients, "create_subscription", name=later.name, topic=queue.topic)
    assert await later.texts(timeout=0.3) == []
    await subscriber(queue.clients, "seek", subscription=later.name, time=since)
    assert await later.texts() == ["before"]


async def test_a_snapshot_can_be_changed_and_expires(server: StandIn, queue: Queue) -> None:
    name = "projects/test/snapshots/one"
    created = await subscriber(queue.clients, "create_snapshot", name=name, subscription=queue.name, labels={"a": "b"})
    assert dict(created.labels) == {"a": "b"}
    assert created.expire_time - datetime.now(UTC) > timedelta(days=6)
    listed = await publisher(queue.clients, "list_topic_snapshots", topic=queue.topic)
    assert [one async for one in listed] == [name]
    wanted = {"name": name, "expire_time": datetime.now(UTC)}
    mask = FieldMask(paths=["expire_time"])
    await subscriber(queue.clients, "update_snapshot", snapshot=wanted, update_mask=mask)
    with pytest.raises(NotFound):
        await subscriber(queue.clients, "get_snapshot", snapshot=name)
    assert server.registry.topics[queue.topic].snapshots == {}


async def test_a_snapshot_of_another_topic_fits_no_subscription(queue: Queue) -> None:
    other = await Queue(queue.clients).create()
    name = "projects/test/snapshots/two"
    await subscriber(queue.clients, "create_snapshot", name=name, subscription=other.name)
    with pytest.raises(FailedPrecondition):
        await subscriber(queue.clients, "seek", subscription=queue.name, snapshot=name)


async def test_the_subscriptions_of_a_topic_that_is_not_there_are_not_found(queue: Queue) -> None:
    with pytest.raises(NotFound):
        await publisher(queue.clients, "list_topic_subscriptions", topic="projects/test/topics/missing")


async def test_a_push_configuration_is_kept(queue: Queue) -> None:
    push = {"push_endpoint": "https://example.com/"}
    await subscriber(queue.clients, "modify_push_config", subscription=queue.name, push_config=push)
    kept = await subscriber(queue.clients, "get_subscription", subscription=queue.name)
    assert kept.push_config.push_endpoint == "https://example.com/"


async def test_policies_are_kept_and_forbid_nothing(queue: Queue) -> None:
    policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/viewer", members=["user:x@example.com"])])
    client: Any = queue.clients.publisher
    await client.set_iam_policy(iam_policy_pb2.SetIamPolicyRequest(resource=queue.topic, policy=policy))
    got = await client.get_iam_policy(iam_policy_pb2.GetIamPolicyRequest(resource=queue.topic))
    assert list(got.bindings) == list(policy.bindings)
    asked = iam_policy_pb2.TestIamPermissionsRequest(resource=queue.topic, permissions=["pubsub.topics.delete"])
    assert list((await client.test_iam_permissions(asked)).permissions) == ["pubsub.topics.delete"]
    with pytest.raises(NotFound):
        await client.get_iam_policy(iam_policy_pb2.GetIamPolicyRequest(resource="projects/test/topics/missing"))


async def test_memory_is_given_back_with_what_is_acknowledged(server: StandIn, queue: Queue) -> None:
    for _ in range(20):
        await queue.publish(*["x" * 100] * 100)
        await queue.ack(await queue.pull())
    state = server.registry.subscriptions[queue.name].queue
    assert not state._unacked
    assert not state._delivered
    assert len(state._leases._heap) < 300
    assert not server.registry.subscriptions[queue.name].desk._waiting
