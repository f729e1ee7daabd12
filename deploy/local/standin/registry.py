"""Everything that there is, and what goes from one to the other."""

from collections.abc import Iterable
from itertools import count
from typing import Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from google.pubsub_v1 import types

from deploy.local.standin.desk import Desk
from deploy.local.standin.errors import AlreadyThere, FailedPrecondition, NotThere
from deploy.local.standin.faults import Faults
from deploy.local.standin.message import Message
from deploy.local.standin.names import DELETED_TOPIC, SNAPSHOTS, SUBSCRIPTIONS, TOPICS, check_name, project_of
from deploy.local.standin.settings import DAY, complete_subscription, complete_topic, policy_of
from deploy.local.standin.subscription import Clock, Subscription
from deploy.local.standin.topic import Snapshot, Subscribed, Topic

PubsubMessage: Any = types.PubsubMessage.pb()
SnapshotSettings: Any = types.Snapshot.pb()

R = TypeVar("R")

_LONGEST_SNAPSHOT = 7 * DAY  # seconds, less the age of its oldest message ...
_SHORTEST_SNAPSHOT = 3_600.0  # ... and one that would live for less is refused


class Registry:
    """Raises NotThere, AlreadyThere, InvalidArgument and FailedPrecondition, as Google's service would."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self.clock = clock
        self.faults = faults
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscribed] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._message_ids = count(int(clock() * 1_000_000))  # rising, also after a restart

    def clear(self) -> None:
        """Forgets everything. Whoever waits is told that its subscription is not there."""
        for subscribed in self.subscriptions.values():
            subscribed.close(NotThere(subscribed.name))
        for container in (self.topics, self.subscriptions, self._snapshots):
            container.clear()

    # Topics

    def topic(self, name: str) -> Topic:
        return _found(self.topics, name, TOPICS)

    def create_topic(self, settings: Any) -> Topic:
        _check_new(self.topics, settings.name, TOPICS)
        topic = self.topics[settings.name] = Topic(complete_topic(settings))
        return topic

    def delete_topic(self, name: str) -> None:
        self.topic(name).delete()
        del self.topics[name]

    def publish(self, topic: Topic, messages: Iterable[Any]) -> list[str]:
        """PubsubMessages, which get their ids and times here."""
        now = self.clock()
        stamp = Timestamp()
        stamp.FromMicroseconds(int(now * 1e6))
        ids = [self._publish(topic, message, now, stamp) for message in messages]
        for subscribed in topic.subscriptions.values():
            subscribed.desk.serve()
        return ids

    def _publish(self, topic: Topic, content: Any, now: float, stamp: Timestamp) -> str:
        content.message_id = str(next(self._message_ids))
        content.publish_time.CopyFrom(stamp)
        message = Message(content.message_id, content.SerializeToString(), content.ordering_key, now)
        topic.keep(message)
        for subscribed in topic.subscriptions.values():
            if subscribed.queue.policy.accepts(content.attributes):
                self._enter(subscribed, topic, message)
        return message.id

    def _enter(self, subscribed: Subscribed, topic: Topic, message: Message) -> None:
        for arrival in self.faults.arrivals(subscribed.name, topic.name):
            at = self.faults.random if arrival.anywhere else None
            subscribed.queue.add(message, delay=arrival.delay, at=at)

    # Subscriptions

    def subscription(self, name: str) -> Subscribed:
        return _found(self.subscriptions, name, SUBSCRIPTIONS)

    def create_subscription(self, settings: Any) -> Subscribed:
        _check_new(self.subscriptions, settings.name, SUBSCRIPTIONS)
        topic = self.topic(settings.topic)
        complete = complete_subscription(settings)
        self._check_dead_letter_topic(complete)

        def bury(message: Message, attempts: int) -> bool:
            return self._bury(subscribed, message, attempts)

        queue = Subscription(policy_of(complete), self.clock, bury)
        subscribed = Subscribed(complete, queue, Desk(queue, self.clock))
        self.subscriptions[subscribed.name] = topic.subscriptions[subscribed.name] = subscribed
        return subscribed

    def _check_dead_letter_topic(self, settings: Any) -> None:
        if settings.HasField("dead_letter_policy"):
            self.topic(settings.dead_letter_policy.dead_letter_topic)

    def apply(self, subscribed: Subscribed, settings: Any) -> None:
        self._check_dead_letter_topic(settings)
        subscribed.settings = settings
        subscribed.queue.policy = policy_of(settings)
        subscribed.desk.serve()

    def delete_subscription(self, name: str) -> None:
        subscribed = self.subscription(name)
        del self.subscriptions[name]
        self._unsubscribe(subscribed)
        subscribed.close(NotThere(name))

    def detach(self, name: str) -> None:
        subscribed = self.subscription(name)
        self._unsubscribe(subscribed)
        subscribed.detach()

    def _unsubscribe(self, subscribed: Subscribed) -> None:
        topic = self.topics.get(subscribed.settings.topic)
        if topic is not None:
            topic.subscriptions.pop(subscribed.name, None)

    def _bury(self, subscribed: Subscribed, message: Message, attempts: int) -> bool:
        topic = self.topics.get(subscribed.settings.dead_letter_policy.dead_letter_topic)
        if topic is None:
            return False
        content = PubsubMessage.FromString(message.wire)
        source = "CloudPubSubDeadLetterSource"
        content.attributes.update(
            {
                f"{source}DeliveryCount": str(attempts),
                f"{source}Subscription": subscribed.name.rpartition("/")[2],
                f"{source}SubscriptionProject": project_of(subscribed.name).removeprefix("projects/"),
                f"{source}TopicPublishTime": content.publish_time.ToJsonString(),
            }
        )
        self.publish(topic, [content])
        return True

    # Snapshots

    def snapshots(self) -> dict[str, Snapshot]:
        """Those that have not expired."""
        now = self.clock()
        for name in [name for name, one in self._snapshots.items() if one.expires_at <= now]:
            self.delete_snapshot(name)
        return self._snapshots

    def snapshot(self, name: str) -> Snapshot:
        return _found(self.snapshots(), name, SNAPSHOTS)

    def create_snapshot(self, name: str, subscription: str) -> Snapshot:
        _check_new(self.snapshots(), name, SNAPSHOTS)
        subscribed = self.subscription(subscription)
        subscribed.check_attached()
        topic = self.topics.get(subscribed.settings.topic)
        if topic is None:
            raise FailedPrecondition(f"The topic of the subscription was deleted (resource={subscription}).")
        messages = subscribed.queue.unacked()
        now = self.clock()
        expires_at = min((one.published_at for one in messages), default=now) + _LONGEST_SNAPSHOT
        if expires_at < now + _SHORTEST_SNAPSHOT:
            raise FailedPrecondition("The backlog is too old for a snapshot, which would expire within an hour.")
        settings = SnapshotSettings(name=name, topic=topic.name)
        settings.expire_time.FromMicroseconds(int(expires_at * 1e6))
        made = self._snapshots[name] = topic.snapshots[name] = Snapshot(settings, expires_at, messages)
        return made

    def delete_snapshot(self, name: str) -> None:
        snapshot = _found(self._snapshots, name, SNAPSHOTS)
        del self._snapshots[name]
        topic = self.topics.get(snapshot.settings.topic)
        if topic is not None:
            topic.snapshots.pop(name, None)

    def seek_to_snapshot(self, subscribed: Subscribed, snapshot: Snapshot) -> None:
        if snapshot.settings.topic != subscribed.settings.topic or snapshot.settings.topic == DELETED_TOPIC:
            raise FailedPrecondition("The snapshot and the subscription are not of the same topic.")
        self._seek(subscribed, lambda message: message.id in snapshot.messages, snapshot.messages.values())

    def seek_to_time(self, subscribed: Subscribed, time: float) -> None:
        """`time`: in seconds since the epoch; what was published before counts as acknowledged."""
        topic = self.topics.get(subscribed.settings.topic)
        retained = topic.retained(self.clock()) if topic is not None else []
        self._seek(subscribed, lambda message: message.published_at >= time, retained)

    def _seek(self, subscribed: Subscribed, wanted: Any, others: Iterable[Message]) -> None:
        subscribed.check_attached()
        accepts = subscribed.queue.policy.accepts
        subscribed.queue.seek(wanted, (one for one in others if accepts(PubsubMessage.FromString(one.wire).attributes)))
        subscribed.desk.serve()


def _found(there: dict[str, R], name: str, kind: str) -> R:
    found = there.get(name)
    if found is None:
        check_name(name, kind)
        raise NotThere(name)
    return found


def _check_new(there: dict[str, Any], name: str, kind: str) -> None:
    check_name(name, kind)
    if name in there:
        raise AlreadyThere(name)
