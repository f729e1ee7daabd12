"""StreamingPull: messages go out as they come, acknowledgements come in beside them."""

import asyncio
import math
from collections.abc import Iterable, Sequence
from typing import Any

import grpc
from google.pubsub_v1 import types

from deploy.local.standin import limits
from deploy.local.standin.errors import InvalidArgument, Refused
from deploy.local.standin.message import Consumer
from deploy.local.standin.received import fill
from deploy.local.standin.registry import Registry
from deploy.local.standin.rpc import Context, Gate
from deploy.local.standin.subscription import MOST_BYTES
from deploy.local.standin.topic import Subscribed

StreamingPullResponse: Any = types.StreamingPullResponse.pb()
INVALID = "PERMANENT_FAILURE_INVALID_ACK_ID"

A_TURN = 100  # messages for one stream, before the next one has its turn


class StreamingPull:
    def __init__(self, registry: Registry, gate: Gate) -> None:
        self._registry = registry
        self._gate = gate

    async def answer(self, _requests: None, context: Context) -> None:
        first = await context.read()
        if first is grpc.aio.EOF:
            raise InvalidArgument("A stream begins with a request that names its subscription.")
        await self._gate.enter("StreamingPull", first)
        subscribed = self._registry.subscription(first.subscription)
        subscribed.check_attached()
        await Stream(subscribed, first, context).run()


class Stream(Consumer):
    """One open stream. What its client has not acknowledged or handed back is outstanding."""

    __slots__ = (
        "_closed",
        "_context",
        "_first",
        "_most",
        "_most_bytes",
        "_room",
        "_subscribed",
        "_writing",
    )

    def __init__(self, subscribed: Subscribed, first: Any, context: Context) -> None:
        super().__init__(_checked_deadline(first.stream_ack_deadline_seconds))
        self._subscribed = subscribed
        self._first = first
        self._context = context
        self._most = first.max_outstanding_messages if first.max_outstanding_messages > 0 else math.inf
        self._most_bytes = first.max_outstanding_bytes if first.max_outstanding_bytes > 0 else math.inf
        self._room = asyncio.Event()
        self._writing = asyncio.Lock()
        self._closed: asyncio.Future[Refused] = asyncio.get_running_loop().create_future()

    def close(self, error: Refused) -> None:
        if not self._closed.done():
            self._closed.set_result(error)

    def lost(self, size: int) -> None:
        super().lost(size)
        self._room.set()

    async def run(self) -> None:
        """Until its client closes it, or `close`. Raises Refused."""
        self._subscribed.streams.add(self)
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            ends: set[asyncio.Future[Any]] = {*tasks, self._closed}
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._closed in done:
                raise self._closed.result()
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            self._leave()  # before anything is waited for: this may be cancelled once more
            await asyncio.gather(*tasks, return_exceptions=True)

    def _leave(self) -> None:
        self._closed.cancel()
        self._subscribed.streams.discard(self)
        self._subscribed.queue.abandon(self)
        self._subscribed.desk.serve()

    async def _write(self) -> None:
        if self._subscribed.queue.policy.exactly_once or self._subscribed.queue.policy.ordered:
            await self._send(StreamingPullResponse())  # a client should know before the first message
        while True:
            await self._wait_for_room()
            deliveries = await self._subscribed.desk.wait(self, self._capacity(), most_bytes=self._byte_capacity())
            response = StreamingPullResponse()
            fill(response, deliveries, self._subscribed.queue.policy)
            await self._send(response)

    async def _wait_for_room(self) -> None:
        while self.messages >= self._most or self.bytes >= self._most_bytes:
            self._room.clear()
            await self._room.wait()

    def _capacity(self) -> int:
        return int(min(self._most - self.messages, A_TURN))

    def _byte_capacity(self) -> int:
        return int(min(self._most_bytes - self.bytes, MOST_BYTES))

    async def _send(self, response: Any) -> None:
        policy = self._subscribed.queue.policy
        properties = response.subscription_properties  # in each answer: without it, a client takes it for "no"
        properties.exactly_once_delivery_enabled = policy.exactly_once
        properties.message_ordering_enabled = policy.ordered
        async with self._writing:
            await self._context.write(response)

    async def _read(self) -> None:
        request = self._first
        while request is not grpc.aio.EOF:
            await self._heed(request)
            request = await self._context.read()
            if request is not grpc.aio.EOF:
                self._check_later(request)

    async def _heed(self, request: Any) -> None:
        """An empty one is a heartbeat."""
        if request.stream_ack_deadline_seconds:
            self.ack_deadline = _checked_deadline(request.stream_ack_deadline_seconds)
        if not request.ack_ids and not request.modify_deadline_ack_ids:
            return
        queue = self._subscribed.queue
        queue.check(request.ack_ids)
        queue.check(request.modify_deadline_ack_ids)
        unknown = queue.acknowledge(request.ack_ids)
        unextended = self._extend(request.modify_deadline_ack_ids, request.modify_deadline_seconds)
        self._subscribed.desk.serve()
        if queue.policy.exactly_once:
            await self._confirm(request, unknown, unextended)

    def _extend(self, ack_ids: Sequence[str], seconds: Sequence[int]) -> list[str]:
        if len(ack_ids) != len(seconds):
            raise InvalidArgument("There must be as many modify_deadline_seconds as modify_deadline_ack_ids.")
        for deadline in seconds:
            limits.check_extension(deadline)
        extend = self._subscribed.queue.extend
        return [one for ack_id, deadline in zip(ack_ids, seconds, strict=True) for one in extend((ack_id,), deadline)]

    async def _confirm(self, request: Any, unknown: list[str], unextended: list[str]) -> None:
        response = StreamingPullResponse()
        _tell(response.acknowledge_confirmation, request.ack_ids, unknown)
        _tell(response.modify_ack_deadline_confirmation, request.modify_deadline_ack_ids, unextended)
        await self._send(response)

    def _check_later(self, request: Any) -> None:
        for field in (
            "subscription",
            "client_id",
            "max_outstanding_messages",
            "max_outstanding_bytes",
            "protocol_version",
        ):
            if getattr(request, field):
                raise InvalidArgument(f"{field} can be set in the first request of a stream only.")


def _tell(confirmation: Any, ack_ids: Iterable[str], failed: list[str]) -> None:
    bad = set(failed)
    confirmation.invalid_ack_ids.extend(failed)
    confirmation.ack_ids.extend(ack_id for ack_id in ack_ids if ack_id not in bad)


def _checked_deadline(seconds: int) -> int:
    limits.check_ack_deadline(seconds)
    return seconds
