"""StreamingPull."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.pubsub_v1.types import StreamingPullRequest, StreamingPullResponse

from deploy.local.standin.server import StandIn
from deploy.local.standin.streaming import Stream as OpenStream
from shared.broker.channel import Clients
from tests.integration.standin.conftest import Queue


class Stream:
    """A raw one: nothing is acknowledged or extended but by the test."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def say(self, **request: Any) -> None:
        await self.call.write(StreamingPullRequest(**request))

    async def hear(self) -> StreamingPullResponse:
        async with asyncio.timeout(10):
            response = await self.call.read()
        assert isinstance(response, StreamingPullResponse)
        return response

    async def messages(self) -> list[Any]:
        """Of the next answer that has some."""
        while True:
            response = await self.hear()
            if response.received_messages:
                return list(response.received_messages)

    async def texts(self) -> list[str]:
        return [one.message.data.decode() for one in await self.messages()]

    async def end(self) -> tuple[grpc.StatusCode, str]:
        async with asyncio.timeout(10):
            return await self.call.code(), await self.call.details()


@asynccontextmanager
async def streaming(server: StandIn, queue: Queue, **first: Any) -> AsyncIterator[Stream]:
    async with grpc.aio.insecure_channel(server.host) as channel:
        open_stream = channel.stream_stream(
            "/google.pubsub.v1.Subscriber/StreamingPull",
            request_serializer=StreamingPullRequest.serialize,
            response_deserializer=StreamingPullResponse.deserialize,
        )
        stream = Stream(open_stream())
        await stream.say(**{"subscription": queue.name, "stream_ack_deadline_seconds": 10, **first})
        yield stream
        stream.call.cancel()


async def until(sign: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not sign():
            await asyncio.sleep(0.001)


async def test_messages_come_as_they_are_published_and_acknowledgements_go_beside_them(
    server: StandIn, queue: Queue
) -> None:
    async with streaming(server, queue) as stream:
        await queue.publish("a")
        (first,) = await stream.messages()
        await queue.publish("b")
        (second,) = await stream.messages()
        await stream.say(ack_ids=[first.ack_id], modify_deadline_ack_ids=[second.ack_id], modify_deadline_seconds=[0])
        assert await stream.texts() == ["b"]
    assert await queue.texts() == ["b"]


async def test_no_more_messages_are_outstanding_than_its_client_wants(server: StandIn, queue: Queue) -> None:
    await queue.publish("a", "b", "c")
    async with streaming(server, queue, max_outstanding_messages=2) as stream:
        first, second = await stream.messages()
        assert await queue.texts() == ["c"]  # nobody was given it
        await queue.publish("d", "e")
        await stream.say(ack_ids=[first.ack_id])
        assert await stream.texts() == ["d"]
        await queue.ack([second])  # by another call
        assert await stream.texts() == ["e"]


async def test_no_more_bytes_are_outstanding_than_its_client_wants_but_for_a_single_message(
    server: StandIn, queue: Queue
) -> None:
    await queue.publish("x" * 1_000, "y" * 10)
    async with streaming(server, queue, max_outstanding_bytes=100) as stream:
        (large,) = await stream.messages()
        await stream.say(ack_ids=[large.ack_id])
        assert await stream.texts() == ["y" * 10]


async def test_a_stream_whose_client_goes_away_gives_back_what_that_never_spoke_of(
    server: StandIn, queue: Queue
) -> None:
    await queue.publish("begun", "unseen")
    async with streaming(server, queue) as stream:
        begun, _ = await stream.messages()
        await queue.extend(60, begun)
    assert await queue.texts() == ["unseen"]
    await queue.ack([begun])


async def test_a_half_closed_stream_ends_well(server: StandIn, queue: Queue) -> None:
    async with streaming(server, queue) as stream:
        await stream.call.done_writing()
        assert await stream.end() == (grpc.StatusCode.OK, "")


async def test_its_own_ack_deadline_counts_and_can_be_changed(server: StandIn, queue: Queue) -> None:
    async with streaming(server, queue, stream_ack_deadline_seconds=600) as stream:
        leases = server.registry.subscriptions[queue.name].queue._leases
        await queue.publish("a")
        await stream.messages()
        assert leases.next_due() is not None
        assert 590 < leases.next_due() - server.registry.clock() < 601  # type: ignore[operator]
        await stream.say(stream_ack_deadline_seconds=10)
        await stream.say()  # a heartbeat
        await queue.publish("b")
        await stream.messages()
        assert leases.next_due() - server.registry.clock() < 11  # type: ignore[operator]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"stream_ack_deadline_seconds": 0}, None),
        ({"stream_ack_deadline_seconds": 9}, None),
        ({"stream_ack_deadline_seconds": 601}, None),
        ({}, {"subscription": "projects/p/subscriptions/other"}),
        ({}, {"client_id": "other"}),
        ({}, {"max_outstanding_messages": 1}),
        ({}, {"ack_ids": ["bogus"]}),
        ({}, {"modify_deadline_ack_ids": ["bogus"], "modify_deadline_seconds": [1]}),
        ({}, {"modify_deadline_ack_ids": ["AAAAAAAA:1"]}),
        ({}, {"modify_deadline_ack_ids": ["AAAAAAAA:1"], "modify_deadline_seconds": [601]}),
    ],
)
async def test_what_a_stream_may_not_say_ends_it(
    server: StandIn, queue: Queue, first: dict[str, Any], then: dict[str, Any] | None
) -> None:
    async with streaming(server, queue, **first) as stream:
        if then is not None:
            await stream.say(**then)
        assert (await stream.end())[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_subscription_that_is_missing_or_deleted_ends_a_stream(server: StandIn, queue: Queue) -> None:
    async with streaming(server, queue, subscription="projects/p/subscriptions/missing") as stream:
        assert (await stream.end())[0] is grpc.StatusCode.NOT_FOUND
    async with streaming(server, queue) as stream:
        await until(lambda: bool(server.registry.subscriptions[queue.name].streams))
        await queue.clients.subscriber.delete_subscription(subscription=queue.name, retry=None, timeout=10)
        assert (await stream.end())[0] is grpc.StatusCode.NOT_FOUND


async def test_ordering_is_told_and_kept(server: StandIn, clients: Clients) -> None:
    queue = await Queue(clients).create(enable_message_ordering=True)
    async with streaming(server, queue, max_outstanding_messages=2) as stream:
        assert (await stream.hear()).subscription_properties.message_ordering_enabled
        await queue.publish("1", "2", "3", key="k")
        first, second = await stream.messages()
        await stream.say(ack_ids=[first.ack_id, second.ack_id])
        assert await stream.texts() == ["3"]


async def test_with_exactly_once_delivery_each_acknowledgement_is_confirmed(server: StandIn, clients: Clients) -> None:
    queue = await Queue(clients).create(enable_exactly_once_delivery=True)
    async with streaming(server, queue) as stream:
        assert (await stream.hear()).subscription_properties.exactly_once_delivery_enabled
        await queue.publish("a")
        (message,) = await stream.messages()
        unknown = "AAAAAAAA:1"
        await stream.say(modify_deadline_ack_ids=[message.ack_id, unknown], modify_deadline_seconds=[20, 20])
        answer = await stream.hear()
        assert answer.modify_ack_deadline_confirmation.ack_ids == [message.ack_id]
        assert answer.modify_ack_deadline_confirmation.invalid_ack_ids == [unknown]
        await stream.say(ack_ids=[message.ack_id])
        answer = await stream.hear()
        assert answer.acknowledge_confirmation.ack_ids == [message.ack_id]
        assert answer.subscription_properties.exactly_once_delivery_enabled
        await stream.say(ack_ids=[message.ack_id])
        assert (await stream.hear()).acknowledge_confirmation.invalid_ack_ids == [message.ack_id]


async def test_two_streams_share_what_comes(server: StandIn, queue: Queue) -> None:
    async with streaming(server, queue) as first, streaming(server, queue) as second:
        desk = server.registry.subscriptions[queue.name].desk
        await until(lambda: len(desk._waiting) == 2)
        await queue.publish(*map(str, range(150)))
        shares = [len(await first.messages()), len(await second.messages())]
    assert sorted(shares) == [50, 100]


class Stuck:
    """A context whose client takes nothing, and whose writing takes a while to end."""

    def __init__(self) -> None:
        self.writing = asyncio.Event()

    async def read(self) -> Any:
        await asyncio.Event().wait()

    async def write(self, _response: Any) -> None:
        self.writing.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)


async def test_what_a_stream_had_is_given_back_even_if_it_is_cancelled_while_it_ends(
    server: StandIn, queue: Queue
) -> None:
    """gRPC cancels once for the failed write, and once for the connection."""
    subscribed = server.registry.subscriptions[queue.name]
    first = StreamingPullRequest.pb()(subscription=queue.name, stream_ack_deadline_seconds=600)
    stuck = Stuck()
    running = asyncio.create_task(OpenStream(subscribed, first, stuck).run())
    await queue.publish("a")
    await stuck.writing.wait()
    for _ in range(2):
        running.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({running})
    assert await queue.texts() == ["a"]
    assert not subscribed.streams
