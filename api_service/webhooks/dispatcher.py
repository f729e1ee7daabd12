"""The dispatcher: makes the deliveries that are due. At least once: what it has not noted is tried again, under the same id.

A delivery is leased, in the table, to the process that tries it; nothing is locked while its receiver is spoken to.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from api_service.webhooks.message import render_message
from api_service.webhooks.schedule import outcome_of
from api_service.webhooks.sending import Answer
from api_service.webhooks.signing import signed_headers
from shared.database.deliveries import DeliveryState, Due, Outcome, lease_deliveries, note_delivery
from shared.database.endings import job_of_snapshot
from shared.database.pool import Database
from shared.database.webhook_secrets import get_webhook_secret
from shared.errors import DatabaseUnavailable
from shared.failpoints import Failpoint, reached

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0  # seconds; a partial index makes an empty look cheap
# Seconds between a look that found nothing and the next, whatever happens: past a backlog of 100,000 for a host that is
# slow a look takes 14 ms.
LOOK_AT_MOST_EVERY = 0.05
# After a call there must be time to note what came of it, also when the database is away for a moment.
TIME_TO_NOTE = 15.0  # seconds
NOTE_AGAIN = 1.0
_ALWAYS = {"Content-Type": "application/json", "User-Agent": "Torchrelay-Webhooks"}

# url, headers, body. Does not raise.
Post = Callable[[str, Mapping[str, str], bytes], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Calls:
    """How many at once, and to one host; how many seconds one takes at most."""

    at_once: int
    per_host: int
    timeout: float


class Dispatcher:
    name = "webhooks"

    def __init__(self, db: Database, post: Post, calls: Calls) -> None:
        self._db = db
        self._post = post
        self._calls = calls
        self._lease = calls.timeout + TIME_TO_NOTE
        self._busy: Counter[str] = Counter()  # calls under way, by host
        self._look_now = asyncio.Event()

    def look_soon(self) -> None:
        """There is something to tell."""
        self._look_now.set()

    async def run(self) -> None:
        self._busy = Counter()  # a run that broke may have left calls that never began
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._look_now.clear()
                taken = await self._take()
                for due in taken:
                    self._busy[due.host] += 1
                    tasks.create_task(self._deliver(due))
                if not taken:
                    await self._pause()

    async def _take(self) -> list[Due]:
        free = self._calls.at_once - self._busy.total()
        if free <= 0:
            return []
        try:
            return await lease_deliveries(
                self._db, free, per_host=self._calls.per_host, busy=self._busy, lease=self._lease
            )
        except DatabaseUnavailable as error:
            log.warning("no webhook can be called", error=str(error))
            return []

    async def _pause(self) -> None:
        looked = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self._look_now.wait()
        except TimeoutError:
            pass
        await asyncio.sleep(looked + LOOK_AT_MOST_EVERY - asyncio.get_running_loop().time())

    async def _deliver(self, due: Due) -> None:
        lease_ends = time.monotonic() + self._lease
        try:
            outcome = await self._try(due, lease_ends)
            reached(Failpoint.WEBHOOK_CALLED)
            await self._note(due, outcome, lease_ends)
        except DatabaseUnavailable as error:
            log.warning("a webhook waits until its lease is over", delivery=str(due.id), error=str(error))
        except Exception:  # one that breaks must not break the others
            log.exception("a webhook broke", delivery=str(due.id))
        finally:
            self._busy[due.host] -= 1
            self._busy += Counter()  # drops hosts without calls
            self._look_now.set()

    async def _try(self, due: Due, lease_ends: float) -> Outcome:
        try:
            return outcome_of(await self._call(due, lease_ends), due.tries)
        except DatabaseUnavailable:
            raise
        except Exception:  # one that breaks must not break the others, nor come again without end
            log.exception("a webhook broke", delivery=str(due.id))
            return outcome_of(Answer(None, "it could not be sent; this has been logged", 0.0), due.tries)

    async def _call(self, due: Due, lease_ends: float) -> Answer:
        secrets = due.secrets or ((await get_webhook_secret(self._db, due.owner)).secret,)
        body = render_message(due.event, job_of_snapshot(due.snapshot))
        # By the database's clock, as all else: receivers refuse a message whose time is not theirs within five minutes.
        now = due.leased_until.timestamp() - (lease_ends - time.monotonic())
        headers = _ALWAYS | dict(signed_headers(due.id, secrets, now, body))
        return await self._post(due.url, headers, body)

    async def _note(self, due: Due, outcome: Outcome, ends: float) -> None:
        """As long as the lease lasts: otherwise what was delivered is delivered again."""
        while True:
            try:
                noted = await note_delivery(self._db, due, outcome)
            except DatabaseUnavailable:
                if time.monotonic() + NOTE_AGAIN > ends:
                    raise
                await asyncio.sleep(NOTE_AGAIN)
            else:
                _report(due, outcome, noted=noted)
                return


def _report(due: Due, outcome: Outcome, *, noted: bool) -> None:
    """Never the URL: whoever knows it may be able to use it."""
    told = log.bind(delivery=str(due.id), host=due.host, tries=due.tries + 1)
    if not noted:
        told.warning("a webhook took longer than its lease, or its job is gone")
    elif outcome.state is DeliveryState.DELIVERED:
        told.debug("a webhook was delivered", status=outcome.status)
    elif outcome.state is DeliveryState.FAILED:
        told.warning("a webhook was given up", error=outcome.error)
    else:
        told.info("a webhook will be tried again", error=outcome.error)
