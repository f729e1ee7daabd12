import asyncio
from asyncio import CancelledError, Event, Task

import pytest

from shared.broker.protocol import Received
from shared.broker.pulls import Call, Pulls
from shared.errors import BrokerUnavailable

LIMIT = 10.0  # seconds


def message(number: int) -> Received:
    return Received(str(number), b"", {}, 1, str(number))


async def never() -> list[Received]:
    raise AssertionError("no call was to be made")


class Server:
    """Answers its one call when it is told to."""

    def __init__(self, *received: Received, error: Exception | None = None) -> None:
        self.called, self.answering = Event(), Event()
        self._received, self._error = list(received), error

    async def call(self) -> list[Received]:
        self.called.set()
        await self.answering.wait()
        if self._error:
            raise self._error
        return self._received


async def abandon(pulls: Pulls, server: Server, subscription: str = "queue") -> None:
    """Leaves a call of `server` outstanding."""
    pulling = asyncio.create_task(pulls.pull(subscription, 10, server.call))
    await server.called.wait()
    await cancel(pulling)


async def cancel(pulling: Task[list[Received]]) -> None:
    pulling.cancel()
    with pytest.raises(CancelledError):
        await pulling


def answer(*received: Received) -> Call:
    server = Server(*received)
    server.answering.set()
    return server.call


async def test_a_pull_returns_what_its_call_brings() -> None:
    assert await Pulls().pull("queue", 10, answer(message(1))) == [message(1)]


async def test_an_error_reaches_the_caller() -> None:
    server = Server(error=BrokerUnavailable("away"))
    server.answering.set()
    with pytest.raises(BrokerUnavailable):
        await Pulls().pull("queue", 10, server.call)


async def test_what_a_cancelled_pull_brings_later_goes_to_the_next() -> None:
    pulls, server = Pulls(), Server(message(1))
    await abandon(pulls, server)
    following = asyncio.create_task(pulls.pull("queue", 10, never))
    server.answering.set()
    assert await following == [message(1)]


async def test_what_came_between_two_pulls_goes_to_the_next() -> None:
    pulls, server = Pulls(), Server(message(1))
    await abandon(pulls, server)
    server.answering.set()
    await asyncio.sleep(0)
    assert await pulls.pull("queue", 10, never) == [message(1)]
    assert await pulls.pull("queue", 10, answer(message(2))) == [message(2)]


async def test_an_answer_in_the_moment_of_cancelling_is_kept() -> None:
    pulls, server = Pulls(), Server(message(1))
    pulling = asyncio.create_task(pulls.pull("queue", 10, server.call))
    await server.called.wait()
    server.answering.set()
    await cancel(pulling)
    assert await pulls.pull("queue", 10, never) == [message(1)]


async def test_a_call_may_be_abandoned_more_than_once() -> None:
    pulls, server = Pulls(), Server(message(1))
    await abandon(pulls, server)
    for _ in range(3):
        following = asyncio.create_task(pulls.pull("queue", 10, never))
        await asyncio.sleep(0)
        await cancel(following)
    server.answering.set()
    assert await pulls.pull("queue", 10, never) == [message(1)]


async def test_more_than_the_next_asks_for_is_kept_for_the_one_after() -> None:
    pulls, server = Pulls(), Server(*map(message, range(5)))
    await abandon(pulls, server)
    server.answering.set()
    assert await pulls.pull("queue", 2, never) == [message(0), message(1)]
    assert await pulls.pull("queue", 2, never) == [message(2), message(3)]
    assert await pulls.pull("queue", 2, never) == [message(4)]


async def test_subscriptions_are_kept_apart() -> None:
    pulls, server = Pulls(), Server(message(1))
    await abandon(pulls, server, "one")
    server.answering.set()
    assert await pulls.pull("other", 10, answer(message(2))) == [message(2)]
    assert await pulls.pull("one", 10, never) == [message(1)]


async def test_a_failure_that_nobody_waited_for_is_forgotten() -> None:
    pulls, server = Pulls(), Server(error=BrokerUnavailable("away"))
    await abandon(pulls, server)
    server.answering.set()
    await pulls.finish(LIMIT)
    assert await pulls.pull("queue", 10, answer(message(1))) == [message(1)]


async def test_finishing_waits_and_returns_what_nobody_has_seen() -> None:
    pulls, server, failing = Pulls(), Server(message(1)), Server(error=BrokerUnavailable("away"))
    await abandon(pulls, server)
    await abandon(pulls, failing, "other")
    finishing = asyncio.create_task(pulls.finish(LIMIT))
    await asyncio.sleep(0)
    assert not finishing.done()
    server.answering.set()
    failing.answering.set()
    assert await finishing == {"queue": [message(1)]}
    assert await pulls.finish(LIMIT) == {}


async def test_finishing_waits_for_a_pull_whose_caller_is_there_and_leaves_it_its_messages() -> None:
    pulls, server = Pulls(), Server(message(1))
    pulling = asyncio.create_task(pulls.pull("queue", 10, server.call))
    await server.called.wait()
    finishing = asyncio.create_task(pulls.finish(LIMIT))
    await asyncio.sleep(0)
    assert not finishing.done()
    server.answering.set()
    assert await finishing == {}
    assert await pulling == [message(1)]


async def test_what_was_given_up_is_taken_over_by_nobody_and_comes_back_in_the_end() -> None:
    """Its connection is silent; should it bring something after all, that is handed back."""
    pulls, old, new = Pulls(), Server(message(1)), Server(message(2))
    await abandon(pulls, old)
    pulls.give_up()
    new.answering.set()
    assert await pulls.pull("queue", 10, new.call) == [message(2)]
    old.answering.set()
    assert await pulls.finish(LIMIT) == {"queue": [message(1)]}


async def test_what_has_come_already_is_not_given_up() -> None:
    pulls, old = Pulls(), Server(message(1))
    await abandon(pulls, old)
    old.answering.set()
    await asyncio.wait(pulls._outstanding)
    pulls.give_up()
    assert await pulls.pull("queue", 10, never) == [message(1)]


async def test_a_call_that_never_ends_does_not_hold_up_the_end() -> None:
    pulls, silent = Pulls(), Server()
    await abandon(pulls, silent)
    assert await pulls.finish(0.01) == {}
    silent.answering.set()
