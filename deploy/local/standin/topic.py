"""Topics, subscriptions and snapshots as resources: their settings, and what belongs to them."""

from collections import deque
from typing import Any, Protocol

from deploy.local.standin.desk import Desk
from deploy.local.standin.errors import FailedPrecondition, Refused
from deploy.local.standin.message import Message
from deploy.local.standin.names import DELETED_TOPIC
from deploy.local.standin.subscription import Subscription


class Stream(Protocol):
    def close(self, error: Refused) -> None:
        """It ends with this status."""


class Subscribed:
    """A subscription with its settings, a google.pubsub.v1.Subscription."""

    def __init__(self, settings: Any, queue: Subscription, desk: Desk) -> None:
        self.settings = settings
        self.queue = queue
        self.desk = desk
        self.streams: set[Stream] = set()

    @property
    def name(self) -> str:
        return str(self.settings.name)

    def check_attached(self) -> None:
        """Raises FailedPrecondition."""
        if self.settings.detached:
            raise _detached(self.name)

    def detach(self) -> None:
        self.settings.detached = True
        self.close(_detached(self.name))

    def close(self, error: Refused) -> None:
        """Whoever waits, or has a stream, gets this. Nothing is left of its messages."""
        self.queue.clear()
        self.desk.close(error)
        for stream in list(self.streams):
            stream.close(error)


class Snapshot:
    """Everything that was not acknowledged when it was taken, and all that was published since."""

    def __init__(self, settings: Any, expires_at: float, messages: list[Message]) -> None:
        self.settings = settings
        self.expires_at = expires_at
        self.messages = {message.id: message for message in messages}


class Topic:
    """With its settings, a google.pubsub.v1.Topic."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.subscriptions: dict[str, Subscribed] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self._log: deque[Message] = deque()

    @property
    def name(self) -> str:
        return str(self.settings.name)

    def keep(self, message: Message) -> None:
        """For whoever seeks."""
        for snapshot in self.snapshots.values():
            snapshot.messages[message.id] = message
        if self.settings.HasField("message_retention_duration"):
            self._log.append(message)
            self._forget(message.published_at)

    def retained(self, now: float) -> list[Message]:
        self._forget(now)
        return list(self._log)

    def delete(self) -> None:
        """Its subscriptions keep what they have."""
        for subscribed in self.subscriptions.values():
            subscribed.settings.topic = DELETED_TOPIC
        for snapshot in self.snapshots.values():
            snapshot.settings.topic = DELETED_TOPIC

    def _forget(self, now: float) -> None:
        duration = self.settings.message_retention_duration
        oldest = now - duration.seconds - duration.nanos / 1e9
        while self._log and self._log[0].published_at < oldest:
            self._log.popleft()


def _detached(name: str) -> FailedPrecondition:
    return FailedPrecondition(f"The subscription is detached from its topic (resource={name.rpartition('/')[2]}).")
