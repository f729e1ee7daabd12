"""The broker of protocol.py on Google Cloud Pub/Sub, or on whatever speaks its gRPC protocol.

Unary calls only. The worker asks for exactly what it has room for, stops asking when it stops, and there is neither a
thread nor a background retry: whoever calls decides what a failure means.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

from google.api_core.exceptions import DeadlineExceeded
from google.pubsub_v1.types import PullResponse

from shared.broker.channel import Clients, open_clients
from shared.broker.chunks import chunks
from shared.broker.faults import translated
from shared.broker.names import Names
from shared.broker.protocol import Received
from shared.broker.provision import provision
from shared.broker.pulls import Pulls
from shared.errors import BrokerUnavailable, NotProvisioned

_TIMEOUT_S = 10.0
_DEAD_PULL_TIMEOUT_S = 2.0
_SPARE_S = 2.0  # that a call may end later than its time-out says
# Pub/Sub takes 1,000 messages or 10 MB a publish, and 512 KiB of ack ids. A hundred messages a call are already as
# fast as it gets, and cheap to repeat.
_MESSAGES_A_CALL, _BYTES_A_PUBLISH = 100, 4_000_000
_ACK_IDS_A_CALL, _BYTES_OF_ACK_IDS = 1_000, 400_000
_LONGEST_ATTRIBUTE = 1_024  # bytes

_Message = tuple[bytes, dict[str, str]]


class Pubsub:
    """One for each event loop: its connections belong to the loop in which they were made."""

    def __init__(self, clients: Clients, names: Names, pull_seconds: float, emulator_host: str | None = None) -> None:
        self._clients = clients
        self._emulator_host = emulator_host
        self._closing: set[asyncio.Task[None]] = set()  # connections that were given up
        self._names = names
        self._pull_seconds = pull_seconds
        self._pulls = Pulls()

    @classmethod
    async def connect(
        cls, project: str, emulator_host: str | None = None, prefix: str = "", *, pull_seconds: float = _TIMEOUT_S
    ) -> "Pubsub":
        """`emulator_host` is `host:port`; without one it is Google's, with application-default credentials.

        pull_seconds: how long a pull waits for messages, and so how long a stop may wait for it.

        The broker need not be there yet. Raises BrokerUnavailable if there are no credentials.
        """
        return cls(await open_clients(emulator_host), Names(project, prefix), pull_seconds, emulator_host)

    async def publish(self, queue: str, messages: Sequence[_Message]) -> None:
        await self._publish(self._names.of(queue).topic, messages)

    async def publish_dead(self, queue: str, data: bytes, attributes: dict[str, str]) -> None:
        cut = {key: _cut(value) for key, value in attributes.items()}
        await self._publish(self._names.of(queue).dead_topic, [(data, cut)])

    async def pull(self, queue: str, max_messages: int) -> list[Received]:
        return await self._pull(self._names.of(queue).subscription, max_messages, self._pull_seconds)

    async def pull_dead(self, queue: str, max_messages: int) -> list[Received]:
        return await self._pull(self._names.of(queue).dead_subscription, max_messages, _DEAD_PULL_TIMEOUT_S)

    async def acknowledge(self, queue: str, ack_ids: Sequence[str]) -> None:
        await self._acknowledge(self._names.of(queue).subscription, ack_ids)

    async def acknowledge_dead(self, queue: str, ack_ids: Sequence[str]) -> None:
        await self._acknowledge(self._names.of(queue).dead_subscription, ack_ids)

    async def extend(self, queue: str, ack_ids: Sequence[str], seconds: int) -> None:
        await self._extend(self._names.of(queue).subscription, ack_ids, seconds)

    async def provision(self, queue: str) -> bool:
        names = self._names.of(queue)
        try:
            with self._calling(f"provision {names.topic}", "roles/pubsub.editor on the project"):
                return await provision(self._clients, names)
        except NotProvisioned as error:
            raise BrokerUnavailable(f"{names.topic} was deleted while it was provisioned") from error

    async def reconnect(self) -> None:
        old, self._clients = self._clients, await open_clients(self._emulator_host, fresh=True)
        self._pulls.give_up()
        closing = asyncio.create_task(old.close(self._pull_seconds + _SPARE_S), name="close the old connection")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        for subscription, received in (await self._pulls.finish(self._pull_seconds + _SPARE_S)).items():
            # Nobody has seen these, so nobody will extend or ack them; unless handed back they are hidden for a minute.
            with suppress(BrokerUnavailable, NotProvisioned):
                await self._extend(subscription, [message.ack_id for message in received], 0)
        await self._clients.close()
        if self._closing:
            await asyncio.wait(self._closing, timeout=_SPARE_S)

    async def _publish(self, topic: str, messages: Sequence[_Message]) -> None:
        for chunk in chunks(messages, _MESSAGES_A_CALL, _BYTES_A_PUBLISH, _size):
            request = {"topic": topic, "messages": [{"data": data, "attributes": of} for data, of in chunk]}
            with self._calling(f"publish to {topic}", f"roles/pubsub.publisher on {topic}"):
                await self._clients.publisher.publish(request=request, retry=None, timeout=_TIMEOUT_S)

    async def _pull(self, subscription: str, max_messages: int, timeout_s: float) -> list[Received]:
        clients = self._clients

        async def call() -> list[Received]:
            with self._calling(f"pull from {subscription}", f"roles/pubsub.subscriber on {subscription}"):
                try:
                    response = await clients.subscriber.pull(
                        subscription=subscription, max_messages=max_messages, retry=None, timeout=timeout_s
                    )
                except DeadlineExceeded:
                    return []  # Pub/Sub answers "nothing" either way
                except asyncio.CancelledError as error:
                    if clients is self._clients:
                        raise
                    raise BrokerUnavailable(f"pull from {subscription}: its connection was given up") from error
            return _received(response)

        return await self._pulls.pull(subscription, max_messages, call)

    async def _acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> None:
        for chunk in chunks(ack_ids, _ACK_IDS_A_CALL, _BYTES_OF_ACK_IDS, len):
            with self._calling(f"acknowledge to {subscription}", f"roles/pubsub.subscriber on {subscription}"):
                await self._clients.subscriber.acknowledge(
                    subscription=subscription, ack_ids=chunk, retry=None, timeout=_TIMEOUT_S
                )

    async def _extend(self, subscription: str, ack_ids: Sequence[str], seconds: int) -> None:
        for chunk in chunks(ack_ids, _ACK_IDS_A_CALL, _BYTES_OF_ACK_IDS, len):
            with self._calling(f"extend in {subscription}", f"roles/pubsub.subscriber on {subscription}"):
                await self._clients.subscriber.modify_ack_deadline(
                    subscription=subscription,
                    ack_ids=chunk,
                    ack_deadline_seconds=seconds,
                    retry=None,
                    timeout=_TIMEOUT_S,
                )

    def _calling(self, doing: str, role: str) -> AbstractContextManager[None]:
        return translated(f"Cannot {doing}", role)


def _size(message: _Message) -> int:
    data, attributes = message
    return len(data) + sum(len(key) + len(value) for key, value in attributes.items())


def _cut(value: str) -> str:
    return value.encode()[:_LONGEST_ATTRIBUTE].decode(errors="ignore")


def _received(response: PullResponse) -> list[Received]:
    raw: Any = PullResponse.pb(response)  # the generated wrapper costs 40 µs a message, what it wraps 15
    return [
        Received(
            one.ack_id,
            one.message.data,
            dict(one.message.attributes),
            one.delivery_attempt,
            one.message.message_id,
        )
        for one in raw.received_messages
    ]
