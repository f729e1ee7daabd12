"""The relay (rules 2 and 3): publishes committed jobs and stamps them. No row is locked while the broker is spoken to.

The fast path publishes from memory what this process has just stored. The sweep finds everything else in the table:
what was queued again, what another process left behind, what could not be published.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from api_service.broker_health import BrokerHealth
from api_service.resting import RestingQueues
from shared.broker.protocol import Broker
from shared.database.outbox import Unpublished, lease_unpublished, release_unpublished, stamp_published
from shared.database.pool import Database
from shared.errors import BrokerUnavailable, DatabaseUnavailable, NotProvisioned
from shared.job import NewJob
from shared.message import JobMessage

log = structlog.get_logger(__name__)

PER_CALL = 100  # messages a publish call: 96,000 a second that way, a few thousand one by one
REMEMBERED = 10_000  # jobs that wait in memory; beyond that the sweep finds them in the table
CONCURRENT = 4  # calls under way: one is published while another is stamped
SWEEP_EVERY = 1.0  # seconds; a partial index makes an empty sweep cheap


class Relay:
    name = "relay"

    def __init__(
        self, db: Database, broker: Broker, health: BrokerHealth, provision: Callable[[str], Awaitable[None]]
    ) -> None:
        self._db = db
        self._broker = broker
        self._health = health
        self._provision = provision
        self._resting = RestingQueues()
        self._fresh: deque[Unpublished] = deque()
        self._fresh_waiting = asyncio.Event()
        self._sweep_now = asyncio.Event()

    def offer(self, jobs: Sequence[NewJob]) -> None:
        """Just committed by this process, with a short lease of its own: published from memory."""
        room = REMEMBERED - len(self._fresh)
        self._fresh.extend(
            Unpublished(job.id, 1, job.queue, job.model, job.task, job.traceparent) for job in jobs[: max(0, room)]
        )
        self._fresh_waiting.set()

    def sweep_soon(self) -> None:
        """Something was queued again."""
        self._sweep_now.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CONCURRENT):
                tasks.create_task(self._publish_fresh())
            tasks.create_task(self._sweep())

    async def _publish_fresh(self) -> None:
        while True:
            while not self._fresh:
                self._fresh_waiting.clear()
                await self._fresh_waiting.wait()
            batch = [self._fresh.popleft() for _ in range(min(PER_CALL, len(self._fresh)))]
            await self._publish(batch)  # what fails is found by the sweep, once its lease is over

    async def _sweep(self) -> None:
        while True:
            try:
                batch = await lease_unpublished(self._db, PER_CALL, self._resting.now())
            except DatabaseUnavailable as error:
                log.warning("nothing can be published", error=str(error))
                batch = []
            await self._publish(batch)
            if len(batch) < PER_CALL:
                await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(SWEEP_EVERY):
                await self._sweep_now.wait()
        except TimeoutError:
            pass
        self._sweep_now.clear()

    async def _publish(self, entries: Sequence[Unpublished]) -> None:
        """What was published is stamped, the rest let go."""
        by_queue: dict[str, list[Unpublished]] = defaultdict(list)
        for entry in entries:
            by_queue[entry.queue].append(entry)
        for queue, queued in by_queue.items():
            await self._publish_to(queue, queued)

    async def _publish_to(self, queue: str, entries: Sequence[Unpublished]) -> None:
        keys = [(entry.id, entry.publish_no) for entry in entries]
        published = await self._call_broker(queue, entries)
        try:
            if published:
                self._resting.answered(queue)
                await stamp_published(self._db, keys)
            else:
                self._resting.failed(queue)
                await release_unpublished(self._db, keys)
        except DatabaseUnavailable as error:
            log.warning("published, not stamped: they are sent again" if published else "lease kept", error=str(error))

    async def _call_broker(self, queue: str, entries: Sequence[Unpublished]) -> bool:
        messages = [
            JobMessage(entry.id, entry.publish_no, entry.model, entry.task, entry.traceparent).encode()
            for entry in entries
        ]
        try:
            await self._broker.publish(queue, messages)
        except NotProvisioned as error:
            log.warning("the queue is not there", queue=queue, error=str(error))
            await self._provision(queue)
            return False
        except BrokerUnavailable as error:
            log.warning("not published", queue=queue, jobs=len(entries), error=str(error))
            self._health.failed(error)
            return False
        self._health.answered()
        return True
