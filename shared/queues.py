"""A queue that is not there: made, and its jobs published anew (rule 11)."""

import asyncio

import structlog

from shared.broker.protocol import Broker
from shared.database.outbox import forget_queue
from shared.database.pool import Database
from shared.errors import BrokerUnavailable, DatabaseUnavailable

log = structlog.get_logger(__name__)


async def ensure_queue(broker: Broker, db: Database, queue: str) -> None:
    """Creates what is missing. Whoever created the subscription clears the queue: what was published before is gone."""
    if await broker.provision(queue):
        count = await forget_queue(db, queue)
        log.info("queue provisioned", queue=queue, jobs_to_publish_again=count)


class Provisioner:
    """For those who find a queue missing while they run. Never raises: they come across it again."""

    def __init__(self, broker: Broker, db: Database, *, allowed: bool) -> None:
        """allowed: off where something else makes the queues, and services have no right to."""
        self._broker = broker
        self._db = db
        self._allowed = allowed
        self._one_by_one = asyncio.Lock()

    async def __call__(self, queue: str) -> None:
        if not self._allowed:
            log.error(
                "a queue is missing, or brings nothing, and PUBSUB_PROVISION is off: see to its topics and subscriptions",
                queue=queue,
            )
            return
        async with self._one_by_one:
            try:
                await ensure_queue(self._broker, self._db, queue)
            except BrokerUnavailable as error:
                log.warning("queue not provisioned", queue=queue, error=str(error))
            except DatabaseUnavailable as error:  # the next one finds the queue there: rule 11 does the rest
                log.warning(
                    "queue provisioned; what waits in it is published again later (rule 11)",
                    queue=queue,
                    error=str(error),
                )
