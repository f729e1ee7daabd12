"""What both services need of a broker. Only `pubsub.py` knows which one it is.

A queue is a topic, its subscription, and a dead-letter topic with a subscription of its own. Delivery is at least
once, in no order, and an acknowledgement is never proof of anything: the row in the database decides.

Every operation raises BrokerUnavailable (it may or may not have happened: repeat it), all but `provision` raise
NotProvisioned, and all that take a queue raise InvalidQueueName (names.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery of one message."""

    ack_id: str  # of this delivery: a redelivered message has another
    data: bytes
    attributes: dict[str, str]
    delivery_attempt: int  # from 1; 0 where Pub/Sub does not count: from a dead-letter subscription
    message_id: str  # the same at each delivery


class Broker(Protocol):
    async def publish(self, queue: str, messages: Sequence[tuple[bytes, dict[str, str]]]) -> None:
        """Publishes (data, attributes) pairs. More than a hundred are sent in several calls: an error may mean that
        some of them are on their way. Nothing is retried here.
        """

    async def pull(self, queue: str, max_messages: int) -> list[Received]:
        """Waits for messages, up to 10 seconds; an empty list is no error. Returns what there is, up to
        `max_messages`, and never waits for more.

        Cancelling the caller does not cancel the call, which would hide its messages for a whole ack deadline: what
        the call brings is given to the next pull from this queue.
        """

    async def acknowledge(self, queue: str, ack_ids: Sequence[str]) -> None:
        """Asks the broker not to deliver these again."""

    async def extend(self, queue: str, ack_ids: Sequence[str], seconds: int) -> None:
        """Keeps these from being delivered again for `seconds` from now (0 to 600; 0 hands them back)."""

    async def pull_dead(self, queue: str, max_messages: int) -> list[Received]:
        """Like `pull`, from the dead-letter subscription, waiting 2 seconds at most: dead letters are in no hurry,
        and whoever stops should not have to wait for them.
        """

    async def acknowledge_dead(self, queue: str, ack_ids: Sequence[str]) -> None: ...

    async def publish_dead(self, queue: str, data: bytes, attributes: dict[str, str]) -> None:
        """Puts a message among the dead letters. Give it an attribute `reason`; what is too long for one is cut."""

    async def provision(self, queue: str) -> bool:
        """Creates what is missing of a queue. True if its subscription was, and so has none of the messages that were
        ever published: the queue's rows must then be published again. So it is, too, where it was left over from a
        topic that was deleted, and is replaced. Whatever else is there is not changed, but a warning is logged where
        its settings are not ours.
        """

    async def reconnect(self) -> None:
        """Makes all further calls over a new connection. What is under way may end over the old one, for a while."""

    async def close(self) -> None:
        """Waits for outstanding pulls, hands back what they brought to nobody, and disconnects."""
