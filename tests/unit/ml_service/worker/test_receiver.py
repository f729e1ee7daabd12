"""Pulling: no more than there is room for (outstanding calls included), and nothing that was pulled is abandoned."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from uuid import uuid4

import pytest

from ml_service.worker import receiver as receiver_module
from ml_service.worker.receiver import PULL_AT_MOST, PULLERS, Receiver, ReceiverSilent
from shared.broker.protocol import Received
from shared.errors import BrokerUnavailable, NotProvisioned
from tests.hand_broker import HandBroker, delivery

IDLE_AFTER = 30.0  # seconds


class Bench:
    """A receiver with room for `capacity` messages, delivered ones included, and a clock of its own."""

    def __init__(self, capacity: int, pull_limit: float = 3600.0) -> None:
        self.capacity = capacity
        self.now = 1000.0
        self.broker = HandBroker()
        self.room_changed = asyncio.Event()
        self.delivered: list[Received] = []
        self.may_deliver = asyncio.Event()
        self.may_deliver.set()
        self.provisioned: list[str] = []
        self.reconnected: list[str] = []
        self.receiver = Receiver(
            "stage",
            self.broker,
            idle_after=IDLE_AFTER,
            pull_limit=pull_limit,
            room=lambda: self.capacity - len(self.delivered),
            room_changed=self.room_changed,
            deliver=self._deliver,
            provision=self._provision,
            reconnect=self._reconnect,
        )

    async def _reconnect(self, queue: str, reason: str) -> None:
        self.reconnected.append(reason)
        self.broker._happened.set()

    async def pulls(self, count: int) -> list[int]:
        """Once `count` pulls wait, and no further one has been made: what they ask for."""
        await self.broker.until(lambda: len(self.broker.pulls) >= count)
        await settle()
        return self.broker.asked_for

    def make_room(self, messages: int) -> None:
        self.capacity += messages
        self.room_changed.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(self.receiver.run())
        try:
            yield task
        finally:
            self.receiver.stop()
            async with asyncio.timeout(10):
                while not task.done():
                    while self.broker.pulls:
                        self.broker.answer()
                    await asyncio.sleep(0)

    async def _deliver(self, queue: str, received: Sequence[Received]) -> None:
        assert queue == "stage"
        await self.may_deliver.wait()
        self.delivered += received

    async def _provision(self, queue: str) -> None:
        self.provisioned.append(queue)
        self.broker.faults.pop("pull", None)


async def settle() -> None:
    """Everything that could move has moved."""
    for _ in range(30):
        await asyncio.sleep(0)


@pytest.fixture
def bench_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    def made(capacity: int, **options: float) -> Bench:
        bench = Bench(capacity, **options)
        monkeypatch.setattr(receiver_module, "time", SimpleNamespace(monotonic=lambda: bench.now))
        return bench

    monkeypatch.setattr(receiver_module, "RETRY_FIRST", 0.001)
    return made


def some(count: int) -> list[Received]:
    return [delivery(uuid4()) for _ in range(count)]


async def test_all_pulls_together_ask_for_no_more_than_the_room(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(150)
    async with bench.running():
        assert await bench.pulls(2) == [PULL_AT_MOST, 50]


async def test_a_large_room_is_asked_for_by_all_pullers(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(10_000)
    async with bench.running():
        assert await bench.pulls(PULLERS) == [PULL_AT_MOST] * PULLERS


async def test_without_room_nothing_is_asked_for_until_there_is_some(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(0)
    async with bench.running():
        await settle()
        assert bench.broker.calls["pull"] == 0
        bench.make_room(3)
        assert await bench.pulls(1) == [3]


async def test_what_was_delivered_takes_room(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(10)
    async with bench.running():
        assert await bench.pulls(1) == [10]
        messages = some(4)
        bench.broker.answer(*messages)
        assert await bench.pulls(1) == [6]
        assert bench.delivered == messages


async def test_messages_on_their_way_to_the_desk_take_room(bench_of: Callable[[int], Bench]) -> None:
    """Taking them in can last: unreadable ones are buried first. Nobody else counts them until then."""
    bench = bench_of(10)
    async with bench.running():
        assert await bench.pulls(1) == [10]
        bench.may_deliver.clear()
        bench.broker.answer(*some(10))
        await settle()
        assert bench.broker.asked_for == []
        bench.may_deliver.set()
        await settle()
        assert bench.broker.asked_for == []


async def test_after_stop_nothing_is_asked_for_and_what_was_asked_for_is_awaited(
    bench_of: Callable[[int], Bench],
) -> None:
    """Rule 13: a cancelled pull hides its messages for a whole ack deadline."""
    bench = bench_of(150)
    async with bench.running() as task:
        await bench.pulls(2)
        bench.receiver.stop()
        bench.make_room(1000)
        await settle()
        assert not task.done()
        messages = some(2)
        bench.broker.answer(*messages)
        bench.broker.answer()
        await asyncio.wait_for(task, 10)
        assert bench.delivered == messages
        assert bench.broker.calls["pull"] == 2


async def test_stop_reaches_those_who_wait_for_room(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(0)
    async with bench.running() as task:
        await settle()
        bench.receiver.stop()
        await asyncio.wait_for(task, 10)


async def test_a_missing_queue_is_provisioned_and_pulled_from(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(1)
    bench.broker.faults["pull"] = NotProvisioned("gone")
    async with bench.running():
        assert await bench.pulls(1) == [1]
        assert bench.provisioned == ["stage"]


async def test_a_broker_that_is_away_is_asked_again_after_longer_and_longer_pauses(
    bench_of: Callable[[int], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of(1)
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        if seconds:
            pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(receiver_module, "PULLERS", 1)
    monkeypatch.setattr(receiver_module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": noted}))
    bench.broker.faults["pull"] = BrokerUnavailable("away")
    async with bench.running():
        await bench.broker.until(lambda: len(pauses) >= 20)
        del bench.broker.faults["pull"]
        assert await bench.pulls(1) == [1]
    assert pauses[:4] == [0.001, 0.002, 0.004, 0.008]
    assert max(pauses) == receiver_module.RETRY_MOST


async def test_free_room_and_empty_pulls_for_long_enough_make_it_idle(bench_of: Callable[[int], Bench]) -> None:
    """Rule 11: then the reconciler may take published jobs for forgotten by the broker."""
    bench = bench_of(1)
    async with bench.running():
        await bench.pulls(1)
        assert not bench.receiver.idle
        bench.now += IDLE_AFTER - 1
        bench.broker.answer()
        await bench.pulls(1)
        assert not bench.receiver.idle
        bench.now += 1
        assert bench.receiver.idle


async def test_a_message_ends_idleness(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(2)
    async with bench.running():
        await bench.pulls(1)
        bench.broker.answer()
        await bench.pulls(1)
        bench.now += IDLE_AFTER
        assert bench.receiver.idle
        bench.broker.answer(*some(1))
        await bench.pulls(1)
        assert not bench.receiver.idle


async def test_idleness_begins_no_sooner_than_the_last_message(bench_of: Callable[[int], Bench]) -> None:
    """A pull that began before another one brought something says nothing about the time before that."""
    bench = bench_of(150)
    async with bench.running():
        await bench.pulls(2)
        bench.now += IDLE_AFTER - 1
        bench.broker.answer(*some(1), pull=1)
        await bench.pulls(2)
        bench.broker.answer(pull=0)
        await bench.pulls(2)
        bench.now += IDLE_AFTER - 1
        assert not bench.receiver.idle
        bench.now += 1
        assert bench.receiver.idle


async def test_a_worker_without_room_is_not_idle(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(1)
    async with bench.running():
        await bench.pulls(1)
        bench.broker.answer()
        await bench.pulls(1)
        bench.capacity = 0
        bench.broker.answer()
        await settle()
        bench.now += IDLE_AFTER
        assert not bench.receiver.idle


async def test_a_broker_that_is_away_is_not_idle(bench_of: Callable[[int], Bench]) -> None:
    bench = bench_of(1)
    async with bench.running():
        await bench.pulls(1)
        bench.broker.answer()
        await bench.pulls(1)
        bench.broker.faults["pull"] = BrokerUnavailable("away")
        bench.broker.answer()
        await bench.broker.until(lambda: bench.broker.calls["pull"] >= 3)
        await settle()
        bench.now += IDLE_AFTER
        assert not bench.receiver.idle


@pytest.fixture
def hasty(bench_of: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """One pull at a time, each silent at once."""
    monkeypatch.setattr(receiver_module, "PULLERS", 1)
    monkeypatch.setattr(receiver_module, "RETRY_FIRST", 0.0)
    return bench_of(1, pull_limit=0.01)


async def test_a_pull_that_neither_returns_nor_fails_gets_a_new_connection(hasty: Bench) -> None:
    async def reconnect(_queue: str, reason: str) -> None:
        hasty.reconnected.append(reason)
        hasty.receiver._pull_limit = 3600.0  # the new connection is a good one

    hasty.receiver._reconnect = reconnect
    async with hasty.running():
        await hasty.broker.until(lambda: hasty.broker.calls["pull"] == 2)
        assert hasty.reconnected == ["a pull has not ended within 0.01 s"]
        assert hasty.receiver._silent == 1
        hasty.broker.answer(*some(1))
        await settle()
        assert (len(hasty.delivered), hasty.receiver._silent) == (1, 0)


async def test_who_stays_silent_over_a_new_connection_ends(hasty: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker with it, so that another process can try."""
    monkeypatch.setattr(receiver_module, "SILENT_AT_MOST", 3)
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(10):
            await hasty.receiver.run()
    assert caught.group_contains(ReceiverSilent)
    assert len(hasty.reconnected) == 3


async def test_a_broker_that_is_away_is_not_silent(hasty: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "SILENT_AT_MOST", 1)
    hasty.broker.faults["pull"] = BrokerUnavailable("away")
    async with hasty.running():
        await hasty.broker.until(lambda: hasty.broker.calls["pull"] >= 5)
    assert hasty.reconnected == []
