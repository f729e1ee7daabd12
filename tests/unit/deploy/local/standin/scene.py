"""A subscription without a server: a clock in the test's hands, and short names for what is done to it."""

from dataclasses import replace
from itertools import count
from typing import Any

from deploy.local.standin.message import Consumer, Delivery, Message
from deploy.local.standin.policy import Policy
from deploy.local.standin.subscription import Subscription

_ids = count(1)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Scene:
    def __init__(self, **policy: Any) -> None:
        self.clock = Clock()
        self.buried: list[tuple[str, int]] = []
        self.has_grave = True
        self.queue = Subscription(replace(Policy(), **policy), self.clock, self._bury)

    def message(self, text: str, key: str = "") -> Message:
        return Message(str(next(_ids)), text.encode(), key, self.clock.now)

    def add(self, *texts: str, key: str = "") -> None:
        for text in texts:
            self.queue.add(self.message(text, key))

    def take(self, most: int = 100, consumer: Consumer | None = None, seconds: float | None = None) -> list[Delivery]:
        return self.queue.take(consumer or Consumer(seconds), most)

    def texts(self, most: int = 100, consumer: Consumer | None = None) -> list[str]:
        return [text(delivery) for delivery in self.take(most, consumer)]

    def one(self) -> Delivery:
        (delivery,) = self.take(1)
        return delivery

    def ack(self, *deliveries: Delivery) -> list[str]:
        return self.queue.acknowledge(one.ack_id for one in deliveries)

    def extend(self, seconds: float, *deliveries: Delivery) -> list[str]:
        return self.queue.extend([one.ack_id for one in deliveries], seconds)

    def nack(self, *deliveries: Delivery) -> list[str]:
        return self.extend(0, *deliveries)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.queue.advance()

    def _bury(self, message: Message, attempts: int) -> bool:
        if self.has_grave:
            self.buried.append((message.wire.decode(), attempts))
        return self.has_grave


def text(delivery: Delivery) -> str:
    return delivery.message.wire.decode()
