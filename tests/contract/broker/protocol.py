"""The protocol itself, as Google's generated clients speak it: what no test of our own broker layer reaches."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from google.pubsub_v1.types import PubsubMessage, ReceivedMessage, Subscription

from shared.broker.channel import Clients

TIMEOUT = 10.0  # seconds
PROJECT = "projects/protocol"
_numbers = count(1)


class Protocol:
    """A topic and a subscription of one test alone, and short names for what is asked about them."""

    def __init__(self, clients: Clients) -> None:
        self.id = f"protocol-{next(_numbers)}"
        self.topic = f"{PROJECT}/topics/{self.id}"
        self.subscription = f"{PROJECT}/subscriptions/{self.id}"
        self.clients = clients

    async def publisher(self, method: str, **request: Any) -> Any:
        return await getattr(self.clients.publisher, method)(request=request, retry=None, timeout=TIMEOUT)

    async def subscriber(self, method: str, **request: Any) -> Any:
        return await getattr(self.clients.subscriber, method)(request=request, retry=None, timeout=TIMEOUT)

    async def create(self, **settings: Any) -> "Protocol":
        await self.publisher("create_topic", name=self.topic)
        await self.subscribe(**settings)
        return self

    async def subscribe(self, **settings: Any) -> Subscription:
        request = {"name": self.subscription, "topic": self.topic, **settings}
        made: Subscription = await self.subscriber("create_subscription", **request)
        return made

    async def publish(self, *texts: str, key: str = "", **attributes: str) -> list[str]:
        messages = [PubsubMessage(data=text.encode(), ordering_key=key, attributes=attributes) for text in texts]
        return list((await self.publisher("publish", topic=self.topic, messages=messages)).message_ids)

    async def pull(self, wanted: int, timeout: float = TIMEOUT) -> list[ReceivedMessage]:
        """Pulls until so many have come."""
        received: list[ReceivedMessage] = []
        while len(received) < wanted:
            response = await self.clients.subscriber.pull(
                subscription=self.subscription, max_messages=wanted - len(received), retry=None, timeout=timeout
            )
            received += response.received_messages
        return received

    async def texts(self, wanted: int) -> list[str]:
        return [text(message) for message in await self.pull(wanted)]

    async def ack(self, *messages: ReceivedMessage) -> None:
        await self.subscriber("acknowledge", subscription=self.subscription, ack_ids=ids(messages))

    async def extend(self, seconds: int, *messages: ReceivedMessage) -> None:
        request = {"subscription": self.subscription, "ack_ids": ids(messages), "ack_deadline_seconds": seconds}
        await self.subscriber("modify_ack_deadline", **request)


def ids(messages: Sequence[ReceivedMessage]) -> list[str]:
    return [message.ack_id for message in messages]


def text(message: ReceivedMessage) -> str:
    return str(message.message.data.decode())
