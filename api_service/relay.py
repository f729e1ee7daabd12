"""The relay (rules 2 and 3): publishes committed jobs and stamps them. No row is locked while the broker is spoken to.

The fast path publishes from memory what this process has just stored. The sweep finds everything else in the table:
what was queued again, what another process left behind, what could not be published.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from api_service.broker_health import BrokerHealth, Operation
from api_service.counts import Counts
from api_service.resting import RestingQueues
from shared.broker.protocol import Broker
from shared.database.outbox import Entry, Unpublished, lease_unpublished, release_unpublished, stamp_published
from shared.database.pool import Database
from shared.errors import BrokerUnavailable, DatabaseUnavailable, NotProvisioned
from shared.failpoints import Failpoint, reached
from shared.job import NewJob
from shared.message import JobMessage

log = structlog.get_logger(__name__)

PER_CALL = 100  # messages a publish call: 96,000 a second that way, a few thousand one by one
REMEMBERED = 10_000  # jobs that wait in memory; beyond that the sweep finds them in the table
CONCURRENT = 4  # calls under way
# A call costs this process as much as five submissions, whatever it carries. So after a call of several messages the next
# one waits until it has as many: 1 ms a message, 20 ms at most. A job that comes alone is published at once.
GATHER_EACH, GATHER_AT_MOST = 0.001, 0.02  # seconds
# Stamps are in no hurry: what has been claimed by then needs none.
STAMP_GATHER = 0.05  # seconds, a small part of the rows' lease
SWEEP_EVERY = 1.0  # seconds; a partial index makes an empty sweep cheap


class Relay:
    name = "relay"

    def __init__(
        self,
        db: Database,
        broker: Broker,
        health: BrokerHealth,
        provision: Callable[[str], Awaitable[None]],
        counts: Counts | None = None,
    ) -> None:
        self._db = db
        self._broker = broker
        self._health = health
        self._provision = provision
        self._counts = counts or Counts()
        self._resting = RestingQueues()
        self._fresh: deque[Unpublished] = deque()
        self._fresh_waiting = asyncio.Event()
        self._next_call = 0.0  # when the next may be made that is not full; the loop's time
        self._published: list[Entry] = []  # and not stamped yet
        self._stamps_waiting = asyncio.Event()
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
            tasks.create_task(self._stamp())

    async def _publish_fresh(self) -> None:
        while True:
            while not self._fresh:
                self._fresh_waiting.clear()
                await self._fresh_waiting.wait()
            now = asyncio.get_running_loop().time()
            if now < self._next_call and len(self._fresh) < PER_CALL:
                await asyncio.sleep(self._next_call - now)
                continue
            batch = [self._fresh.popleft() for _ in range(min(PER_CALL, len(self._fresh)))]
            self._next_call = now + min(len(batch) * GATHER_EACH, GATHER_AT_MOST)
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
        """What was published is to be stamped, the rest let go."""
        by_queue: dict[str, list[Unpublished]] = defaultdict(list)
        for entry in entries:
            by_queue[entry.queue].append(entry)
        for queue, queued in by_queue.items():
            await self._publish_to(queue, queued)

    async def _publish_to(self, queue: str, entries: Sequence[Unpublished]) -> None:
        keys = [(entry.id, entry.publish_no) for entry in entries]
        reached(Failpoint.RELAY_LEASED)
        if await self._call_broker(queue, entries):
            reached(Failpoint.RELAY_PUBLISHED)
            self._counts.published += len(keys)
            self._resting.answered(queue)
            self._published += keys
            self._stamps_waiting.set()
            return
        self._counts.publish_failures += len(keys)
        self._resting.failed(queue)
        try:
            await release_unpublished(self._db, keys)
        except DatabaseUnavailable as error:
            log.warning("lease kept", error=str(error))

    async def _stamp(self) -> None:
        while True:
            await self._stamps_waiting.wait()
            await asyncio.sleep(STAMP_GATHER)
            self._stamps_waiting.clear()
            keys, self._published = self._published, []
            try:
                await stamp_published(self._db, keys)
            except DatabaseUnavailable as error:
                log.warning("published, not stamped: they are sent again", jobs=len(keys), error=str(error))

    async def _call_broker(self, queue: str, entries: Sequence[Unpublished]) -> bool:
        messages = [
            JobMessage(entry.id, entry.publish_no, entry.model, entry.task, entry.traceparent).encode()
            for entry in entries
        ]
        try:
            await self._broker.publish(queue, messages)
        except NotProvisioned as error:
            log.warning("the queue is not there", queue=queue, error=str(error))
            self._health.failed(Operation.PUBLISH, queue, error)
            await self._provision(queue)
            return False
        except BrokerUnavailable as error:
            log.warning("not published", queue=queue, jobs=len(entries), error=str(error))
            self._health.failed(Operation.PUBLISH, queue, error)
            return False
        self._health.answered(Operation.PUBLISH, queue)
        return True
