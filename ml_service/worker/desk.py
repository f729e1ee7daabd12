"""The messages in hand: kept from the broker while their jobs are here, and acknowledged when the rows are settled.

An ack is never proof of anything: a lost one costs a redelivery, which the claim absorbs.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from shared.broker.protocol import Broker, Received
from shared.errors import BrokerUnavailable, NotProvisioned, UnreadableMessage
from shared.message import JobMessage

log = structlog.get_logger(__name__)

ACK_DEADLINE = 60  # seconds, as provisioned: the broker's own recovery stays behind the lease's
EXTEND_EVERY = 20.0  # seconds: two extensions may fail before the broker delivers again
ACK_GATHER = 0.02  # seconds: acks that fall together go in one call


@dataclass(slots=True)
class InHand:
    """A job whose message is here. A repeated delivery adds its ack id: whichever counts, it is acked in the end.

    A message of a later entry into `queued` is another one, kept apart: it must not be acked with its predecessor.
    """

    message: JobMessage
    queue: str
    ack_ids: set[str] = field(default_factory=set)

    @property
    def job_id(self) -> UUID:
        return self.message.job_id

    @property
    def key(self) -> tuple[UUID, int]:
        return self.message.job_id, self.message.publish_no


class Desk:
    """Takes messages in, tells new ones from repeated ones, extends them all, and acks them in batches.

    provision: makes anew what is missing of a queue.
    """

    def __init__(self, broker: Broker, provision: Callable[[str], Awaitable[None]]) -> None:
        self._broker = broker
        self._provision = provision
        self._in_hand: dict[tuple[UUID, int], InHand] = {}
        self._acks: dict[str, set[str]] = defaultdict(set)
        self._acks_waiting = asyncio.Event()

    def __len__(self) -> int:
        return len(self._in_hand)

    async def take_in(self, queue: str, received: Iterable[Received]) -> list[InHand]:
        """-> the jobs that are new here. What cannot be read goes to the dead-letter topic with its reason (rule 5)."""
        new = []
        for item in received:
            try:
                message = JobMessage.decode(item.data, item.attributes)
            except UnreadableMessage as error:
                await self._bury(queue, item, str(error))
                continue
            job = InHand(message, queue)
            known = self._in_hand.setdefault(job.key, job)
            known.ack_ids.add(item.ack_id)
            if known is job:
                new.append(job)
        return new

    def done(self, jobs: Collection[InHand]) -> None:
        """Their rows know what comes next: ack."""
        for job in jobs:
            self._acks[job.queue] |= job.ack_ids
        self.drop(jobs)
        self._acks_waiting.set()

    def drop(self, jobs: Collection[InHand]) -> None:
        """Forget them, unacked: the broker delivers them again."""
        for job in jobs:
            if self._in_hand.get(job.key) is job:
                del self._in_hand[job.key]

    async def run_extending(self) -> None:
        while True:
            await asyncio.sleep(EXTEND_EVERY)
            by_queue: dict[str, list[str]] = defaultdict(list)
            for job in self._in_hand.values():
                by_queue[job.queue] += job.ack_ids
            for queue, ack_ids in by_queue.items():
                try:
                    await self._broker.extend(queue, ack_ids, ACK_DEADLINE)
                except (BrokerUnavailable, NotProvisioned) as error:
                    log.warning("messages not extended", queue=queue, count=len(ack_ids), error=str(error))

    async def run_acking(self) -> None:
        while True:
            await self._acks_waiting.wait()
            await asyncio.sleep(ACK_GATHER)
            await self.flush_acks()

    async def flush_acks(self) -> None:
        self._acks_waiting.clear()
        acks, self._acks = self._acks, defaultdict(set)
        for queue, ack_ids in acks.items():
            try:
                await self._broker.acknowledge(queue, sorted(ack_ids))
            except (BrokerUnavailable, NotProvisioned) as error:
                log.info("acks lost; what comes again will find its row settled", queue=queue, error=str(error))

    async def _bury(self, queue: str, item: Received, reason: str) -> None:
        log.warning("unreadable message", queue=queue, reason=reason, message_id=item.message_id)
        try:
            await self._broker.publish_dead(queue, item.data, {**item.attributes, "reason": reason[:1000]})
        except (BrokerUnavailable, NotProvisioned) as error:
            log.warning("an unreadable message stays where it is", queue=queue, error=str(error))
            if isinstance(error, NotProvisioned):
                await self._provision(queue)
        else:
            self._acks[queue].add(item.ack_id)
            self._acks_waiting.set()
