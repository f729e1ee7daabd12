"""Every test of the suite runs against every broker: a broker is one more parameter of `broker_host`.

Where the emulator's ways set the pace: it delivers on a tick of 50 ms, at most 100 messages a pull, and it honours the
retry policy, so that what was handed back stays away for 10 s. `impatient` is a queue without that policy.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count

import pytest
from google.pubsub_v1.types import DeadLetterPolicy, Subscription

from deploy.local.broker import LocalBroker, stop
from deploy.local.emulator import Emulator
from deploy.local.ports import free_port
from deploy.local.standin.process import StandInProcess
from shared.broker.channel import Clients, open_clients
from shared.broker.names import Names
from shared.broker.protocol import Received
from shared.broker.pubsub import Pubsub

PROJECT = "contract"
QUEUE = "echo"
_numbers = count(1)

Pull = Callable[[str, int], Awaitable[list[Received]]]


@pytest.fixture(scope="session", params=["emulator", "standin"])
def broker_host(request: pytest.FixtureRequest) -> str:
    server: LocalBroker = request.getfixturevalue(request.param)
    return server.host


@pytest.fixture
def names() -> Names:
    """A prefix for this test alone."""
    return Names(PROJECT, f"test{next(_numbers)}-")


@pytest.fixture
async def broker(broker_host: str, names: Names) -> AsyncIterator[Pubsub]:
    broker = await Pubsub.connect(PROJECT, broker_host, names.prefix)
    yield broker
    await broker.close()


@pytest.fixture
async def clients(broker_host: str) -> AsyncIterator[Clients]:
    """For looking behind the broker's back."""
    clients = await open_clients(broker_host)
    yield clients
    await clients.close()


@pytest.fixture
async def queue(broker: Pubsub) -> str:
    await broker.provision(QUEUE)
    return QUEUE


@pytest.fixture
async def impatient(queue: str, names: Names, clients: Clients) -> str:
    """A queue that redelivers at once, and gives up after five deliveries (no fewer are allowed)."""
    of = names.of(queue)
    await clients.subscriber.delete_subscription(subscription=of.subscription, retry=None, timeout=10)
    dead_letters = DeadLetterPolicy(dead_letter_topic=of.dead_topic, max_delivery_attempts=5)
    hasty = Subscription(name=of.subscription, topic=of.topic, ack_deadline_seconds=60, dead_letter_policy=dead_letters)
    await clients.subscriber.create_subscription(request=hasty, retry=None, timeout=10)
    return queue


class RestartableBroker:
    """One that a test may kill."""

    def __init__(self, broker: LocalBroker) -> None:
        self._broker = broker
        self._process: subprocess.Popen[bytes] | None = None
        self.host = self._broker.host

    def start(self) -> None:
        self._process = self._broker.start(subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            stop(self._process)
        self._process = None


@pytest.fixture(params=["emulator", "standin"])
def own_server(request: pytest.FixtureRequest) -> Iterator[RestartableBroker]:
    """A broker for this test alone, not started."""
    port = free_port()
    if request.param == "emulator":
        broker: LocalBroker = Emulator(port=port, installation=request.getfixturevalue("emulator_installation"))
    else:
        broker = StandInProcess(port=port)
    server = RestartableBroker(broker)
    yield server
    server.kill()


async def receive(pull: Pull, wanted: int, within: float = 20.0, queue: str = QUEUE) -> list[Received]:
    """Pulls until `wanted` messages have come. Raises TimeoutError after `within` seconds."""
    received: list[Received] = []
    async with asyncio.timeout(within):
        while len(received) < wanted:
            received += await pull(queue, wanted - len(received))
    return received


def ack_ids(received: list[Received]) -> list[str]:
    return [message.ack_id for message in received]
