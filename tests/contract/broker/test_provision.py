import asyncio
from datetime import timedelta

import pytest
from google.api_core.exceptions import NotFound
from google.pubsub_v1.types import Subscription
from structlog.testing import capture_logs

from shared.broker import pubsub
from shared.broker.channel import Clients
from shared.broker.names import InvalidQueueName, Names
from shared.broker.pubsub import Pubsub
from shared.errors import BrokerUnavailable
from tests.contract.broker.conftest import receive


async def subscription(clients: Clients, name: str) -> Subscription:
    return await clients.subscriber.get_subscription(subscription=name, retry=None, timeout=10)


async def test_a_queue_is_created_once(broker: Pubsub) -> None:
    assert await broker.provision("echo") is True
    with capture_logs() as logged:
        assert await broker.provision("echo") is False
    assert logged == []


async def test_several_may_provision_at_once(broker: Pubsub) -> None:
    created = await asyncio.gather(*(broker.provision("echo") for _ in range(5)))
    assert True in created  # the emulator may tell several that they were the one
    assert not await broker.provision("echo")


async def test_a_lost_subscription_is_created_again(broker: Pubsub, queue: str, names: Names, clients: Clients) -> None:
    await clients.subscriber.delete_subscription(subscription=names.of(queue).subscription, retry=None, timeout=10)
    assert await broker.provision(queue) is True


async def test_a_lost_dead_letter_subscription_is_created_again_unreported(
    broker: Pubsub, queue: str, names: Names, clients: Clients
) -> None:
    await clients.subscriber.delete_subscription(subscription=names.of(queue).dead_subscription, retry=None, timeout=10)
    assert await broker.provision(queue) is False
    assert await broker.pull_dead(queue, 1) == []


async def test_a_deleted_topic_is_made_anew_with_a_subscription_to_it(
    broker: Pubsub, queue: str, names: Names, clients: Clients
) -> None:
    """The one that was there stays with the deleted topic, and would bring nothing for ever."""
    await clients.publisher.delete_topic(topic=names.of(queue).topic, retry=None, timeout=10)
    assert await broker.provision(queue) is True
    await broker.publish(queue, [(b"again", {})])
    (message,) = await receive(broker.pull, 1)
    assert message.data == b"again"
    assert await broker.provision(queue) is False


async def test_a_topic_that_somebody_else_made_anew_is_given_a_subscription(
    broker: Pubsub, queue: str, names: Names, clients: Clients
) -> None:
    """As Terraform does when it replaces one."""
    await clients.publisher.delete_topic(topic=names.of(queue).topic, retry=None, timeout=10)
    await clients.publisher.create_topic(name=names.of(queue).topic, retry=None, timeout=10)
    assert await broker.provision(queue) is True
    assert (await subscription(clients, names.of(queue).subscription)).topic == names.of(queue).topic


async def test_several_may_replace_a_subscription_at_once(
    broker: Pubsub, queue: str, names: Names, clients: Clients
) -> None:
    """Whoever did so last says so: only then is what was published meanwhile published again."""
    await clients.publisher.delete_topic(topic=names.of(queue).topic, retry=None, timeout=10)
    assert True in await asyncio.gather(*(broker.provision(queue) for _ in range(5)))
    assert (await subscription(clients, names.of(queue).subscription)).topic == names.of(queue).topic


async def test_a_deleted_dead_letter_topic_is_made_anew_unreported(
    broker: Pubsub, queue: str, names: Names, clients: Clients
) -> None:
    """Letters of both kinds come again: those that we send there, and those that the broker gives up."""
    await clients.publisher.delete_topic(topic=names.of(queue).dead_topic, retry=None, timeout=10)
    assert await broker.provision(queue) is False
    await broker.publish_dead(queue, b"again", {})
    (letter,) = await receive(broker.pull_dead, 1)
    assert letter.data == b"again"
    policy = (await subscription(clients, names.of(queue).subscription)).dead_letter_policy
    assert policy.dead_letter_topic == names.of(queue).dead_topic


async def test_the_settings_are_ours(queue: str, names: Names, clients: Clients) -> None:
    of = names.of(queue)
    made = await subscription(clients, of.subscription)
    assert made.topic == of.topic
    assert made.ack_deadline_seconds == 60
    assert made.retry_policy.minimum_backoff == timedelta(seconds=10)
    assert made.retry_policy.maximum_backoff == timedelta(seconds=600)
    assert made.dead_letter_policy.dead_letter_topic == of.dead_topic
    assert made.dead_letter_policy.max_delivery_attempts == 20
    assert "expiration_policy" in made
    assert "ttl" not in made.expiration_policy
    assert not made.enable_exactly_once_delivery
    assert not made.enable_message_ordering


async def test_a_dead_letter_subscription_never_expires_either(queue: str, names: Names, clients: Clients) -> None:
    made = await subscription(clients, names.of(queue).dead_subscription)
    assert made.topic == names.of(queue).dead_topic
    assert "ttl" not in made.expiration_policy
    assert not made.dead_letter_policy.dead_letter_topic


async def test_other_settings_are_left_alone_and_logged(
    broker: Pubsub, impatient: str, names: Names, clients: Clients
) -> None:
    with capture_logs() as logged:
        assert await broker.provision(impatient) is False
    (warning,) = logged
    assert warning["log_level"] == "warning"
    assert warning["subscription"] == names.of(impatient).subscription
    assert {"retry_policy", "dead_letter_policy"} <= set(warning["differences"])
    assert "ack_deadline_seconds" not in warning["differences"]
    left = await subscription(clients, names.of(impatient).subscription)
    assert left.dead_letter_policy.max_delivery_attempts == 5


async def test_a_topic_that_goes_meanwhile_is_a_failure_that_passes(
    broker: Pubsub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who finds a queue missing goes on, and finds it missing again."""

    async def provision(*_: object) -> bool:
        raise NotFound("its topic")  # type: ignore[no-untyped-call]  # the library has no types there

    monkeypatch.setattr(pubsub, "provision", provision)
    with pytest.raises(BrokerUnavailable, match="was deleted"):
        await broker.provision("echo")


async def test_an_impossible_name_is_refused_before_the_broker_is_asked(broker: Pubsub) -> None:
    with pytest.raises(InvalidQueueName, match="letters, digits"):
        await broker.provision("no spaces")
