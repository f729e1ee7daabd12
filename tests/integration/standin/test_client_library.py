"""Google's own high-level clients: the callback subscriber, and the publisher that batches, with ordering keys."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import pubsub_v1
from google.cloud.pubsub_v1.subscriber.exceptions import AcknowledgeError, AcknowledgeStatus
from google.cloud.pubsub_v1.types import BatchSettings, FlowControl, PublisherOptions
from google.pubsub_v1.types import Subscription

from deploy.local.standin.process import StandInProcess

TOPIC, SUBSCRIPTION = "projects/library/topics/topic{}", "projects/library/subscriptions/subscription{}"
_numbers = iter(range(1, 1_000))


@pytest.fixture
def number() -> int:
    return next(_numbers)


@pytest.fixture
def publisher(standin: StandInProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[pubsub_v1.PublisherClient]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", standin.host)
    client = pubsub_v1.PublisherClient(BatchSettings(max_messages=20), PublisherOptions(enable_message_ordering=True))
    yield client
    client.stop()
    client.transport.close()


@pytest.fixture
def subscriber(publisher: pubsub_v1.PublisherClient) -> Iterator[pubsub_v1.SubscriberClient]:
    with pubsub_v1.SubscriberClient() as client:
        yield client


def create(publisher: Any, subscriber: Any, number: int, **settings: Any) -> tuple[str, str]:
    topic, subscription = TOPIC.format(number), SUBSCRIPTION.format(number)
    publisher.create_topic(name=topic)
    subscriber.create_subscription(request=Subscription(name=subscription, topic=topic, **settings))
    return topic, subscription


class Collected:
    """A callback that acknowledges, and knows when enough have come."""

    def __init__(self, wanted: int) -> None:
        self.texts: list[str] = []
        self.enough = threading.Event()
        self._wanted = wanted
        self._lock = threading.Lock()

    def __call__(self, message: Any) -> None:
        message.ack()
        with self._lock:
            self.texts.append(message.data.decode())
            if len(self.texts) == self._wanted:
                self.enough.set()


def test_everything_that_was_published_in_batches_reaches_the_callback_once(
    publisher: Any, subscriber: Any, number: int
) -> None:
    topic, subscription = create(publisher, subscriber, number)
    published = [publisher.publish(topic, str(one).encode()) for one in range(500)]
    assert len({future.result(10) for future in published}) == 500
    collected = Collected(500)
    pulling = subscriber.subscribe(subscription, collected, flow_control=FlowControl(max_messages=50))
    assert collected.enough.wait(20)
    pulling.cancel()
    pulling.result(10)
    assert sorted(map(int, collected.texts)) == list(range(500))


def test_ordering_keys_reach_the_callback_in_order(publisher: Any, subscriber: Any, number: int) -> None:
    topic, subscription = create(publisher, subscriber, number, enable_message_ordering=True)
    for one in range(100):
        publisher.publish(topic, f"{one % 3} {one}".encode(), ordering_key=str(one % 3))
    collected = Collected(100)
    pulling = subscriber.subscribe(subscription, collected)
    assert collected.enough.wait(20)
    pulling.cancel()
    pulling.result(10)
    for key in "012":
        of_key = [int(text.split()[1]) for text in collected.texts if text.startswith(f"{key} ")]
        assert of_key == sorted(of_key)


def test_exactly_once_acknowledgements_are_answered(publisher: Any, subscriber: Any, number: int) -> None:
    topic, subscription = create(publisher, subscriber, number, enable_exactly_once_delivery=True)
    publisher.publish(topic, b"once").result(10)
    outcomes: list[Any] = []
    done = threading.Event()

    def callback(message: Any) -> None:
        outcomes.append(message.ack_with_response().result(10))
        try:
            message.ack_with_response().result(10)
        except AcknowledgeError as error:
            outcomes.append(error.error_code)
        done.set()

    pulling = subscriber.subscribe(subscription, callback)
    assert done.wait(20)
    pulling.cancel()
    pulling.result(10)
    assert outcomes == [AcknowledgeStatus.SUCCESS, AcknowledgeStatus.INVALID_ACK_ID]


def test_what_a_callback_hands_back_comes_again(publisher: Any, subscriber: Any, number: int) -> None:
    topic, subscription = create(publisher, subscriber, number)
    publisher.publish(topic, b"again").result(10)
    seen: list[float] = []
    twice = threading.Event()

    def callback(message: Any) -> None:
        seen.append(time.monotonic())
        if len(seen) == 1:
            message.nack()
        else:
            message.ack()
            twice.set()

    pulling = subscriber.subscribe(subscription, callback)
    assert twice.wait(20)
    pulling.cancel()
    pulling.result(10)
