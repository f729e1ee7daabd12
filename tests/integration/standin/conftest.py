"""The stand-in inside the test's own process, and what a test needs to speak to it as any client would."""

from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Any

import pytest
from google.pubsub_v1.types import PubsubMessage, PullResponse, ReceivedMessage, Subscription

from deploy.local.standin.control import Control
from deploy.local.standin.server import StandIn
from shared.broker.channel import Clients, open_clients

TIMEOUT = 10.0  # seconds
_numbers = count(1)


class Queue:
    """A topic and a subscription of their own."""

    def __init__(self, clients: Clients) -> None:
        self.id = f"queue{next(_numbers)}"
        self.topic = f"projects/test/topics/{self.id}"
        self.name = f"projects/test/subscriptions/{self.id}"
        self.clients = clients

    async def create(self, **settings: Any) -> "Queue":
        await self.clients.publisher.create_topic(name=self.topic, retry=None, timeout=TIMEOUT)
        request = Subscription(name=self.name, topic=self.topic, **settings)
        await self.clients.subscriber.create_subscription(request=request, retry=None, timeout=TIMEOUT)
        return self

    async def publish(self, *texts: str, key: str = "") -> None:
        messages = [PubsubMessage(data=text.encode(), ordering_key=key) for text in texts]
        await self.clients.publisher.publish(topic=self.topic, messages=messages, retry=None, timeout=TIMEOUT)

    async def pull(self, most: int = 100, timeout: float = TIMEOUT) -> list[ReceivedMessage]:
        response: PullResponse = await self.clients.subscriber.pull(
            subscription=self.name, max_messages=most, retry=None, timeout=timeout
        )
        return list(response.received_messages)

    async def texts(self, most: int = 100, timeout: float = TIMEOUT) -> list[str]:
        return [message.message.data.decode() for message in await self.pull(most, timeout)]

    async def ack(self, messages: Sequence[ReceivedMessage]) -> None:
        ids = [message.ack_id for message in messages]
        await self.clients.subscriber.acknowledge(subscription=self.name, ack_ids=ids, retry=None, timeout=TIMEOUT)

    async def extend(self, seconds: int, *messages: ReceivedMessage) -> None:
        ids = [message.ack_id for message in messages]
        await self.clients.subscriber.modify_ack_deadline(
            subscription=self.name, ack_ids=ids, ack_deadline_seconds=seconds, retry=None, timeout=TIMEOUT
        )


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    async with StandIn() as standin:
        yield standin


@pytest.fixture
async def clients(server: StandIn) -> AsyncIterator[Clients]:
    clients = await open_clients(server.host)
    yield clients
    await clients.close()


@pytest.fixture
async def queue(clients: Clients) -> Queue:
    return await Queue(clients).create()


@pytest.fixture
async def control(server: StandIn) -> AsyncIterator[Control]:
    async with Control(server.host) as control:
        yield control
