"""A connection to the broker that has gone silent is given up for a new one: what gRPC notices by itself is not all there is."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

import structlog

from shared.broker.protocol import Broker
from shared.database.outbox import find_overlooked
from shared.database.pool import Database
from shared.errors import BrokerUnavailable, DatabaseUnavailable

log = structlog.get_logger(__name__)

REST = 60.0  # seconds between two new connections: the fault may be the broker's


class Reconnecting:
    """Shared by all receivers of a worker, as the connection is."""

    def __init__(self, broker: Broker, clock: Callable[[], float] = time.monotonic) -> None:
        self._broker = broker
        self._clock = clock
        self._done_at: float | None = None
        self._one_by_one = asyncio.Lock()

    async def __call__(self, queue: str, reason: str) -> None:
        """Never raises: who asks goes on, and asks again."""
        async with self._one_by_one:
            if self._done_at is not None and self._clock() - self._done_at < REST:
                return
            log.warning("connecting to the broker anew", queue=queue, reason=reason)
            try:
                await self._broker.reconnect()
            except BrokerUnavailable as error:
                log.warning("not connected anew", error=str(error))
            self._done_at = self._clock()


async def look_for_overlooked(
    db: Database,
    idle: Callable[[], Collection[str]],
    reconnect: Reconnecting,
    provision: Callable[[str], Awaitable[None]],
    every: float,
) -> None:
    """Rule 11 publishes again what an idle worker has not got. If it still gets nothing, the fault may be its receiver's,
    or its subscription is to a topic that was deleted, and made anew by somebody else.
    """
    while True:
        await asyncio.sleep(every)
        try:
            overlooked = await find_overlooked(db, queues) if (queues := idle()) else []
        except DatabaseUnavailable:
            continue
        for queue in overlooked:
            await reconnect(queue, "published again and again, and nothing comes")
            await provision(queue)
