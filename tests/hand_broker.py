"""A broker whose every answer a test decides, for failures and moments that a real one does not have on request.

How real ones behave is the business of tests/contract/broker.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from uuid import UUID

from shared.broker.protocol import Received
from shared.message import JobMessage

_numbers = count(1)
Message = tuple[bytes, dict[str, str]]


def delivery(job_id: UUID, publish_no: int = 1, *, model: str = "echo") -> Received:
    """One more delivery of a job's message."""
    data, attributes = JobMessage(job_id, publish_no, model, "inference").encode()
    return raw(data, attributes)


def raw(data: bytes, attributes: dict[str, str] | None = None) -> Received:
    number = next(_numbers)
    return Received(f"ack-{number}", data, attributes or {}, 1, f"message-{number}")


class HandBroker:
    """faults: what an operation raises, for as long as it stands there. Pulls wait until the test `answers` them."""

    def __init__(self) -> None:
        self.faults: dict[str, Exception] = {}
        self.published: defaultdict[str, list[Message]] = defaultdict(list)
        self.acked: set[str] = set()
        self.extended: list[set[str]] = []
        self.buried: list[tuple[str, bytes, dict[str, str]]] = []
        self.dead: defaultdict[str, list[Received]] = defaultdict(list)
        self.provisioned: list[str] = []
        self.pulls: list[tuple[int, asyncio.Future[list[Received]]]] = []  # those that wait: how many were asked for
        self.calls: defaultdict[str, int] = defaultdict(int)
        self.closed = False
        self._happened = asyncio.Event()

    async def until(self, condition: Callable[[], bool], limit: float = 10.0) -> None:
        """Looks whenever something was asked of the broker."""
        async with asyncio.timeout(limit):
            while not condition():
                self._happened.clear()
                await self._happened.wait()

    def answer(self, *messages: Received, pull: int = 0) -> None:
        """Ends a pull that waits; the oldest, unless another is named."""
        self.pulls.pop(pull)[1].set_result(list(messages))

    @property
    def asked_for(self) -> list[int]:
        return [wanted for wanted, _ in self.pulls]

    async def publish(self, queue: str, messages: Sequence[Message]) -> None:
        self._called("publish")
        self.published[queue] += messages

    async def pull(self, queue: str, max_messages: int) -> list[Received]:
        self._called("pull")
        answer: asyncio.Future[list[Received]] = asyncio.get_running_loop().create_future()
        self.pulls.append((max_messages, answer))
        try:
            return await answer
        except asyncio.CancelledError:
            self.pulls = [one for one in self.pulls if one[1] is not answer]
            raise

    async def acknowledge(self, queue: str, ack_ids: Sequence[str]) -> None:
        self._called("acknowledge")
        self.acked |= set(ack_ids)

    async def extend(self, queue: str, ack_ids: Sequence[str], seconds: int) -> None:
        self.extended.append(set(ack_ids))
        self._called("extend")

    async def pull_dead(self, queue: str, max_messages: int) -> list[Received]:
        self._called("pull_dead")
        return self.dead[queue][:max_messages]

    async def acknowledge_dead(self, queue: str, ack_ids: Sequence[str]) -> None:
        self._called("acknowledge_dead")
        self.dead[queue] = [one for one in self.dead[queue] if one.ack_id not in ack_ids]

    async def publish_dead(self, queue: str, data: bytes, attributes: dict[str, str]) -> None:
        self._called("publish_dead")
        self.buried.append((queue, data, attributes))

    async def provision(self, queue: str) -> bool:
        self._called("provision")
        self.provisioned.append(queue)
        return True

    async def reconnect(self) -> None:
        self._called("reconnect")

    async def close(self) -> None:
        self.closed = True

    def _called(self, operation: str) -> None:
        self.calls[operation] += 1
        self._happened.set()
        if operation in self.faults:
            raise self.faults[operation]
