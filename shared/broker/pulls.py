"""Pulls that outlive their callers.

The server assigns messages to a pull before it answers. If the call is cancelled in that moment, its messages reach
nobody, and nobody else gets them until the ack deadline is over. So each call is a task of its own, and its caller
waits for it behind `asyncio.shield`. A caller that is cancelled leaves the call running; the next pull from the same
subscription takes it over, with whatever it brings, before it makes a call of its own.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from typing import Any

from shared.broker.protocol import Received

Call = Callable[[], Coroutine[Any, Any, list[Received]]]
Answer = asyncio.Future[list[Received]]


class Pulls:
    def __init__(self) -> None:
        self._outstanding: set[Answer] = set()
        self._abandoned: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._given_up: list[tuple[str, Answer]] = []

    async def pull(self, subscription: str, max_messages: int, call: Call) -> list[Received]:
        """What an abandoned call brings, if there is one, otherwise what `call` does; `max_messages` at most."""
        answer = self._take_over(subscription) or self._begin(call)
        try:
            received = await asyncio.shield(answer)
        except asyncio.CancelledError:
            self._abandoned[subscription].append(answer)
            raise
        if len(received) > max_messages:  # taken over from one who had asked for more
            self._abandoned[subscription].appendleft(_answered(received[max_messages:]))
        return received[:max_messages]

    def give_up(self) -> None:
        """Nobody takes over what is under way: its connection is of no use any more."""
        for name, answers in self._abandoned.items():
            self._given_up += [(name, answer) for answer in answers if not answer.done()]
            self._abandoned[name] = deque(answer for answer in answers if answer.done())

    async def finish(self, limit: float) -> dict[str, list[Received]]:
        """Waits for all calls to end, for `limit` seconds. -> what came of those that nobody waits for, by subscription."""
        if self._outstanding:
            await asyncio.wait(self._outstanding, timeout=limit)
        for name, answer in self._given_up:
            self._abandoned[name].append(answer)
        left = {
            name: [one for answer in answers if _came(answer) for one in answer.result()]
            for name, answers in self._abandoned.items()
        }
        self._abandoned.clear()
        return {name: received for name, received in left.items() if received}

    def _begin(self, call: Call) -> Answer:
        answer = asyncio.create_task(call())
        self._outstanding.add(answer)
        answer.add_done_callback(self._outstanding.discard)
        return answer

    def _take_over(self, subscription: str) -> Answer | None:
        abandoned = self._abandoned[subscription]
        while abandoned:
            answer = abandoned.popleft()
            if not answer.done() or _came(answer):
                return answer
        return None  # a failure that nobody waited for says nothing about the broker of now


def _came(answer: Answer) -> bool:
    return answer.done() and not answer.cancelled() and answer.exception() is None


def _answered(received: list[Received]) -> Answer:
    answer: Answer = asyncio.get_running_loop().create_future()
    answer.set_result(received)
    return answer
