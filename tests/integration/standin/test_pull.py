"""Waiting pulls: what comes is handed over at once, and what a caller that has gone was to get goes to the next."""

import asyncio
import time
from collections.abc import Callable

import pytest
from google.api_core.exceptions import FailedPrecondition, InvalidArgument, NotFound

from deploy.local.standin.server import StandIn
from shared.broker.channel import Clients, open_clients
from tests.integration.standin.conftest import Queue


async def waiting(server: StandIn, queue: Queue, number: int = 1) -> None:
    """Until so many pulls wait there."""
    desk = server.registry.subscriptions[queue.name].desk
    await until(lambda: len(desk._waiting) == number)


async def until(sign: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not sign():
            await asyncio.sleep(0.001)


async def test_a_message_reaches_a_waiting_pull_without_a_tick(server: StandIn, queue: Queue) -> None:
    """Not a benchmark: a tick of 50 ms, as the emulator has it, would show."""
    times = []
    for _ in range(20):
        pull = asyncio.create_task(queue.pull(1))
        await waiting(server, queue)
        began = time.perf_counter()
        await queue.publish("now")
        await queue.ack(await pull)
        times.append(time.perf_counter() - began)
    assert sorted(times)[10] < 0.02


async def test_those_that_wait_are_served_in_turn(server: StandIn, queue: Queue) -> None:
    first: list[str] = []
    second: list[str] = []
    pulls = []
    for number, texts in enumerate((first, second), start=1):
        pulls.append(asyncio.create_task(collect(queue, texts)))
        await waiting(server, queue, number)
    await queue.publish("a", "b", "c")
    await asyncio.gather(*pulls)
    assert (first, second) == (["a"], ["b"])


async def collect(queue: Queue, texts: list[str]) -> None:
    texts += await queue.texts(1)


async def test_a_pull_that_was_cancelled_takes_nothing_along(server: StandIn, queue: Queue) -> None:
    pull = asyncio.create_task(queue.pull())
    await waiting(server, queue)
    pull.cancel()
    await waiting(server, queue, 0)
    await queue.publish("kept")
    assert await queue.texts() == ["kept"]


async def test_a_pull_whose_connection_is_cut_takes_nothing_along(server: StandIn, queue: Queue) -> None:
    other = await open_clients(server.host)
    theirs = Queue(other)
    theirs.name = queue.name
    pull = asyncio.create_task(theirs.pull())
    await waiting(server, queue)
    await other.close()
    await asyncio.gather(pull, return_exceptions=True)
    await waiting(server, queue, 0)
    await queue.publish("kept")
    assert await queue.texts() == ["kept"]


async def test_an_empty_pull_is_answered_before_its_caller_gives_up(queue: Queue) -> None:
    """gRPC rounds the caller's time: at these lengths by up to 10 ms, 100 ms for longer ones."""
    for timeout in (0.15, 0.5, 1.5):
        began = time.monotonic()
        assert await queue.pull(timeout=timeout) == []
        assert time.monotonic() - began > timeout / 2


async def test_a_redelivery_wakes_those_that_wait(server: StandIn, queue: Queue) -> None:
    await queue.publish("again")
    (message,) = await queue.pull()
    await queue.extend(1, message)
    began = time.monotonic()
    assert await queue.texts() == ["again"]
    assert 0.5 < time.monotonic() - began < 2


async def test_what_is_handed_back_wakes_those_that_wait(server: StandIn, queue: Queue) -> None:
    await queue.publish("back")
    messages = await queue.pull()
    pull = asyncio.create_task(queue.texts())
    await waiting(server, queue)
    await queue.extend(0, *messages)
    assert await pull == ["back"]


async def test_a_subscription_that_is_deleted_ends_what_waits_for_it(server: StandIn, queue: Queue) -> None:
    await queue.publish("leased")
    await queue.pull()
    subscribed = server.registry.subscriptions[queue.name]
    pull = asyncio.create_task(queue.pull())
    await waiting(server, queue)
    await queue.clients.subscriber.delete_subscription(subscription=queue.name, retry=None, timeout=10)
    with pytest.raises(NotFound):
        await pull
    assert subscribed.queue.unacked() == []  # or it would come to the dead letters of a subscription that is gone


async def test_a_subscription_that_is_detached_ends_what_waits_for_it_and_has_nothing(
    server: StandIn, queue: Queue, clients: Clients
) -> None:
    pull = asyncio.create_task(queue.pull())
    await waiting(server, queue)
    request = {"subscription": queue.name}
    await clients.publisher.detach_subscription(request=request, retry=None, timeout=10)
    for refused in (pull, queue.pull()):
        with pytest.raises(FailedPrecondition):
            await refused
    await queue.publish("unheard")
    kept = await clients.subscriber.get_subscription(subscription=queue.name, retry=None, timeout=10)
    assert kept.detached
    assert server.registry.subscriptions[queue.name].queue.unacked() == []


@pytest.mark.parametrize("most", [0, -1])
async def test_a_pull_asks_for_at_least_one(queue: Queue, most: int) -> None:
    with pytest.raises(InvalidArgument, match="max_messages"):
        await queue.pull(most)


@pytest.mark.parametrize("seconds", [-1, 601])
async def test_an_extension_is_of_ten_minutes_at_most(queue: Queue, seconds: int) -> None:
    await queue.publish("a")
    messages = await queue.pull()
    with pytest.raises(InvalidArgument, match="ack deadline"):
        await queue.extend(seconds, *messages)
