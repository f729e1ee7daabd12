"""The dead-letter consumer (rule 5): keeps what cannot be read for a while, publishes anew what can, fails no job."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from uuid import NAMESPACE_OID, UUID, uuid5

import structlog

from api_service.broker_health import BrokerHealth, Operation
from shared.broker.protocol import Broker, Received
from shared.database.dead_letters import keep_dead_letter, purge_dead_letters
from shared.database.outbox import Entry, forget_dead_letters
from shared.database.pool import Database
from shared.errors import BrokerUnavailable, DatabaseUnavailable, NotProvisioned, UnreadableMessage
from shared.message import JobMessage

log = structlog.get_logger(__name__)

PER_PULL = 100
PER_PURGE = 1000
PAUSE = 2.0  # seconds between rounds over all queues: dead letters are in no hurry


class DeadLetters:
    """queues: names all queues there are. provision: makes one that has gone.

    retention: seconds that letters are kept.
    """

    name = "dead letters"

    def __init__(
        self,
        db: Database,
        broker: Broker,
        health: BrokerHealth,
        queues: Callable[[], Awaitable[Iterable[str]]],
        provision: Callable[[str], Awaitable[None]],
        retention: float,
    ) -> None:
        self._db = db
        self._broker = broker
        self._health = health
        self._queues = queues
        self._provision = provision
        self._retention = retention

    async def run(self) -> None:
        while True:
            try:
                for queue in await self._queues():
                    await self._consume(queue)
                await self._purge()
            except DatabaseUnavailable as error:
                log.warning("dead letters wait", error=str(error))
            await asyncio.sleep(PAUSE)

    async def _purge(self) -> None:
        """A bounded number each round: what is left waits for the next."""
        if count := await purge_dead_letters(self._db, self._retention, PER_PURGE):
            log.info("dead letters past their retention are removed", count=count)

    async def _consume(self, queue: str) -> None:
        try:
            received = await self._broker.pull_dead(queue, PER_PULL)
            if received:
                await self._deal_with(queue, received)
                await self._broker.acknowledge_dead(queue, [item.ack_id for item in received])
        except NotProvisioned as error:
            self._health.failed(Operation.PULL_DEAD, queue, error)
            await self._provision(queue)
        except BrokerUnavailable as error:
            self._health.failed(Operation.PULL_DEAD, queue, error)
        else:
            self._health.answered(Operation.PULL_DEAD, queue)

    async def _deal_with(self, queue: str, received: Iterable[Received]) -> None:
        readable: list[Entry] = []
        for item in received:
            try:
                message = JobMessage.decode(item.data, item.attributes)
            except UnreadableMessage as error:
                reason = item.attributes.get("reason") or str(error)
                log.warning("a dead letter that cannot be read is kept", queue=queue, reason=reason)
                await keep_dead_letter(self._db, _letter_id(queue, item), queue, item.data, item.attributes, reason)
            else:
                readable.append((message.job_id, message.publish_no))
        if readable:
            count = await forget_dead_letters(self._db, readable)
            log.warning("messages given up by the broker", queue=queue, count=len(readable), published_anew=count)


def _letter_id(queue: str, item: Received) -> UUID:
    """The same at each delivery, so that it is kept once. With its data: an emulator gives the same numbers in each life."""
    return uuid5(NAMESPACE_OID, f"{queue} {item.message_id} {item.data!r}")
