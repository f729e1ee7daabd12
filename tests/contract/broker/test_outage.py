"""A broker that is away, and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress

import pytest
from google.api_core.exceptions import ServiceUnavailable

from shared.broker import provision, pubsub
from shared.broker.names import Names
from shared.broker.pubsub import Pubsub
from shared.errors import BrokerUnavailable, NotProvisioned
from tests.contract.broker.conftest import PROJECT, RestartableBroker, receive
from tests.link import Link, link_to, nobody


@pytest.fixture
async def broker(own_server: RestartableBroker) -> AsyncIterator[Pubsub]:
    broker = await Pubsub.connect(PROJECT, own_server.host)
    yield broker
    await broker.close()


async def test_a_broker_that_is_not_there_is_noticed_at_once(broker: Pubsub) -> None:
    began = time.monotonic()
    for refused in (
        broker.publish("echo", [(b"x", {})]),
        broker.publish_dead("echo", b"x", {}),
        broker.pull("echo", 1),
        broker.pull_dead("echo", 1),
        broker.acknowledge("echo", ["x"]),
        broker.extend("echo", ["x"], 60),
        broker.provision("echo"),
    ):
        with pytest.raises(BrokerUnavailable):
            await refused
    assert time.monotonic() - began < 2


async def test_calls_work_again_a_second_after_a_restart(broker: Pubsub, own_server: RestartableBroker) -> None:
    own_server.start()
    await broker.provision("echo")
    waiting = asyncio.create_task(broker.pull("echo", 1))
    await broker.provision("echo")  # when this is answered, the pull has arrived
    own_server.kill()
    with pytest.raises(BrokerUnavailable):
        await waiting
    await fail_for(broker, seconds=2)  # so that the client is between two attempts, at its longest interval

    own_server.start()
    began = time.monotonic()
    await answered(broker)
    assert time.monotonic() - began < 2
    with pytest.raises(NotProvisioned):  # by the other connection; the emulator has forgotten everything
        await broker.pull("echo", 1)

    assert await broker.provision("echo") is True
    await broker.publish("echo", [(b"after", {})])
    (message,) = await receive(broker.pull, 1)
    assert message.data == b"after"


async def test_a_connection_that_has_gone_silent_is_replaced(broker_host: str, names: Names) -> None:
    async with link_to_broker(broker_host) as link:
        broker = await Pubsub.connect(PROJECT, link.address, names.prefix)
        await broker.provision("echo")
        waiting = asyncio.create_task(broker.pull("echo", 1))
        link.strand()
        await broken(broker, within=30)
        await published(broker, b"again", within=10)
        await asyncio.gather(waiting, return_exceptions=True)  # failed with the connection, or empty before
        (message,) = await receive(broker.pull, 1)
        assert message.data == b"again"
        await broker.close()


async def test_a_new_connection_is_not_the_old_one(broker_host: str, names: Names) -> None:
    """gRPC shares connections where it can: a new channel alone would be as silent as the old one."""
    async with link_to_broker(broker_host) as link:
        broker = await Pubsub.connect(PROJECT, link.address, names.prefix, pull_seconds=5.0)
        await broker.provision("echo")
        link.strand()  # before the pull: one that has arrived would get the message, and hide it for a minute
        waiting = asyncio.create_task(broker.pull("echo", 1))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        began = time.monotonic()
        await broker.reconnect()
        await broker.publish("echo", [(b"again", {})])
        while not (received := await broker.pull("echo", 1)):
            pass
        assert received[0].data == b"again"
        assert time.monotonic() - began < 10  # sooner than the old pull's time-out and gRPC's own keepalive
        await broker.close()


async def test_a_server_that_accepts_and_says_nothing_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call has a time-out. A pull says "nothing": the next one fails, or nothing comes and the queue is looked after."""
    monkeypatch.setattr(pubsub, "_TIMEOUT_S", 0.3)
    monkeypatch.setattr(pubsub, "_DEAD_PULL_TIMEOUT_S", 0.3)
    monkeypatch.setattr(provision, "_TIMEOUT_S", 0.3)
    async with link_to(nobody) as link:
        broker = await Pubsub.connect(PROJECT, link.address, pull_seconds=0.3)
        for silent in (
            broker.publish("echo", [(b"x", {})]),
            broker.publish_dead("echo", b"x", {}),
            broker.acknowledge("echo", ["x"]),
            broker.extend("echo", ["x"], 60),
            broker.provision("echo"),
        ):
            async with asyncio.timeout(5):
                with pytest.raises(BrokerUnavailable):
                    await silent
        for pull in (broker.pull, broker.pull_dead):
            async with asyncio.timeout(5):
                with suppress(BrokerUnavailable):
                    assert await pull("echo", 1) == []
        async with asyncio.timeout(5):
            await broker.close()


def link_to_broker(address: str) -> AbstractAsyncContextManager[Link]:
    host, _, port = address.partition(":")
    return link_to(lambda: asyncio.open_connection(host, int(port)))


async def broken(broker: Pubsub, within: float) -> None:
    """Until a call fails because of the connection, not merely because nothing answered in time."""
    async with asyncio.timeout(within):
        while True:
            with pytest.raises(BrokerUnavailable) as caught:
                await broker.publish("echo", [(b"lost", {})])
            if isinstance(caught.value.__cause__, ServiceUnavailable):
                return


async def published(broker: Pubsub, data: bytes, within: float) -> None:
    """Until it is: a connection that is given up may take another call along while it closes."""
    async with asyncio.timeout(within):
        while True:
            try:
                await broker.publish("echo", [(data, {})])
            except BrokerUnavailable:
                await asyncio.sleep(0.02)
            else:
                return


async def fail_for(broker: Pubsub, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with pytest.raises(BrokerUnavailable):
            await broker.publish("echo", [(b"x", {})])
        await asyncio.sleep(0.05)  # or it would take a whole core to be refused


async def answered(broker: Pubsub) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await broker.publish("echo", [(b"x", {})])
            except BrokerUnavailable:
                await asyncio.sleep(0.02)
            except NotProvisioned:
                return
