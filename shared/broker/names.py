"""What a queue's topics and subscriptions are called."""

import re
from dataclasses import dataclass
from typing import ClassVar

from shared.errors import BrokerUnavailable

# https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
_ALLOWED = re.compile(r"[A-Za-z][A-Za-z0-9\-_.~+%]*", re.ASCII)
_SHORTEST, _LONGEST = 3, 255
_DEAD = "-dead"


class InvalidQueueName(BrokerUnavailable, ValueError):
    """Pub/Sub would refuse a topic of this name, or take it for another queue's. The text says what is allowed.

    To whoever serves several queues, it is one that cannot be reached: the others go on.
    """

    code: ClassVar[str] = "invalid_queue_name"


@dataclass(frozen=True, slots=True)
class QueueNames:
    """A queue's resources, by their full names: `projects/<project>/topics/<id>` and so on."""

    topic: str
    subscription: str
    dead_topic: str
    dead_subscription: str


@dataclass(frozen=True, slots=True)
class Names:
    """Names for all queues of one installation. With a `prefix` several of them share a project."""

    project: str
    prefix: str = ""

    def of(self, queue: str) -> QueueNames:
        """Raises InvalidQueueName."""
        name = self.prefix + queue
        fault = _fault(name)
        if fault:
            raise InvalidQueueName(f"A queue cannot be called {queue!r}: {name!r}, its topic's name, {fault}.")
        topic, subscription = (f"projects/{self.project}/{kind}/{name}" for kind in ("topics", "subscriptions"))
        return QueueNames(topic, subscription, topic + _DEAD, subscription + _DEAD)


def _fault(name: str) -> str | None:
    longest = _LONGEST - len(_DEAD)
    if not _SHORTEST <= len(name) <= longest:
        return f"has {len(name)} characters, where {_SHORTEST} to {longest} are allowed"
    if not _ALLOWED.fullmatch(name):
        return "must start with a letter and consist of letters, digits and -_.~+%"
    if name.lower().startswith("goog"):
        return "must not start with 'goog'"
    if name.endswith(_DEAD):
        return f"must not end with {_DEAD!r}, which marks a dead-letter topic"
    return None
