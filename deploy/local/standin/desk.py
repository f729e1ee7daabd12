"""Who waits for messages of one subscription. What comes is handed over at once; the clock is watched by a timer."""

import asyncio
from dataclasses import dataclass

from deploy.local.standin.errors import Refused
from deploy.local.standin.message import Consumer, Delivery
from deploy.local.standin.subscription import MOST_BYTES, Clock, Subscription


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    consumer: Consumer
    most: int
    most_bytes: int
    answer: "asyncio.Future[list[Delivery]]"


class Desk:
    """First come, first served. `serve` is due after everything that was done to the subscription."""

    def __init__(self, subscription: Subscription, clock: Clock) -> None:
        self._subscription = subscription
        self._clock = clock
        self._waiting: dict[Waiting, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    def take(self, consumer: Consumer, most: int) -> list[Delivery]:
        """What there is, without waiting."""
        taken = self._subscription.take(consumer, most)
        self._watch()
        return taken

    async def wait(
        self,
        consumer: Consumer,
        most: int,
        *,
        patience: float | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> list[Delivery]:
        """At least one, or none after `patience` seconds. Raises what `close` was given. A caller that is cancelled
        loses nothing.
        """
        loop = asyncio.get_running_loop()
        waiting = Waiting(consumer, most, most_bytes, loop.create_future())
        self._waiting[waiting] = None
        self.serve()
        timer = None if patience is None else loop.call_later(patience, _give_up, waiting.answer)
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            self._return(waiting)
            raise
        finally:
            self._waiting.pop(waiting, None)
            if timer is not None:
                timer.cancel()

    def serve(self) -> None:
        """Gives what there is to those who wait."""
        for waiting in list(self._waiting):
            if not self._subscription.stirring:
                break
            if waiting.answer.done():
                continue
            taken = self._subscription.take(waiting.consumer, waiting.most, waiting.most_bytes)
            if taken:
                del self._waiting[waiting]
                waiting.answer.set_result(taken)
        self._watch()

    def close(self, error: Refused) -> None:
        """There is nothing to wait for any more."""
        if self._timer is not None:
            self._timer.cancel()
        for one in self._waiting:
            if not one.answer.done():
                one.answer.set_exception(error)
        self._waiting.clear()

    def _return(self, waiting: Waiting) -> None:
        answer = waiting.answer
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            self._subscription.give_back(answer.result())
            self.serve()

    def _watch(self) -> None:
        """A timer that is too early does no harm: it sets the next one."""
        due = self._subscription.next_due()
        if due is None or (self._timer is not None and self._timer_due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = asyncio.get_running_loop().call_later(max(due - self._clock(), 0.0), self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._subscription.advance()
        self.serve()


def _give_up(answer: "asyncio.Future[list[Delivery]]") -> None:
    if not answer.done():
        answer.set_result([])
