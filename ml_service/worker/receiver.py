"""Pulling from one queue: never more than there is room for, and nothing that was pulled is abandoned (rule 13)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog

from shared.broker.protocol import Broker, Received
from shared.errors import BrokerUnavailable, NotProvisioned, TorchrelayError

log = structlog.get_logger(__name__)

PULL_AT_MOST = 100  # messages a call; brokers give no more
PULLERS = 4  # calls that may be outstanding: each brings at most 100 for every tick of the broker's
RETRY_FIRST, RETRY_MOST = 0.2, 5.0  # seconds between tries while the broker does not answer
# A pull ends by its own time-out. One that has neither returned nor failed so long after that never will.
SILENT_AFTER = 20.0  # seconds
# Silent pulls in a row: each puller may have one before there is a new connection. Then only a new process helps.
SILENT_AT_MOST = 2 * PULLERS


class ReceiverSilent(TorchrelayError):
    """Pulls end neither with an answer nor with an error, also over a new connection."""

    code = "receiver_silent"


class Receiver:
    """Behind it: `deliver` takes what was pulled; `room` says how many more messages are welcome.

    idle_after: seconds of free room and empty pulls that make the queue idle (rule 11). pull_limit: seconds after which a
    pull counts as silent; `reconnect` is called for one.
    """

    def __init__(
        self,
        queue: str,
        broker: Broker,
        *,
        idle_after: float,
        pull_limit: float,
        room: Callable[[], int],
        room_changed: asyncio.Event,
        deliver: Callable[[str, Sequence[Received]], Awaitable[None]],
        provision: Callable[[str], Awaitable[None]],
        reconnect: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self.queue = queue
        self._broker = broker
        self._idle_after = idle_after
        self._pull_limit = pull_limit
        self._reconnect = reconnect
        self._silent = 0  # pulls in a row that did not end
        self._room = room
        self._room_changed = room_changed
        self._deliver = deliver
        self._provision = provision
        self._outstanding = 0  # messages asked for
        self._idle_since: float | None = None
        self._busy_at = 0.0  # when there last was a message, a failure, or no room
        self._stopping = False

    @property
    def idle(self) -> bool:
        return self._idle_since is not None and time.monotonic() - self._idle_since >= self._idle_after

    async def run(self) -> None:
        """Until `stop`, and then until what was asked for has come."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(PULLERS):
                tasks.create_task(self._pull(), name=f"{self.queue}: pull {number}")

    def stop(self) -> None:
        self._stopping = True
        self._room_changed.set()

    async def _pull(self) -> None:
        delay = RETRY_FIRST
        while not self._stopping:
            wanted = min(PULL_AT_MOST, self._room() - self._outstanding)
            if wanted <= 0:
                await self._wait_for_room()
                continue
            try:
                await self._pull_once(wanted)
            except NotProvisioned:
                self._note_busy()
                await self._provision(self.queue)
            except BrokerUnavailable as error:
                self._note_busy()
                log.warning("cannot pull", queue=self.queue, error=str(error))
            except TimeoutError:
                await self._note_silence()
            else:
                delay = RETRY_FIRST
                continue
            await asyncio.sleep(delay)
            delay = min(delay * 2, RETRY_MOST)

    async def _pull_once(self, wanted: int) -> None:
        begin = time.monotonic()
        self._outstanding += wanted
        try:
            received = await self._pulled(wanted)
            if received:
                self._note_busy()
                await self._deliver(self.queue, received)
        finally:
            self._outstanding -= wanted  # not before they are delivered: until then nobody else counts them
            self._room_changed.set()
        if not received and self._idle_since is None:
            self._idle_since = max(begin, self._busy_at)  # another pull may have brought something since it began

    async def _pulled(self, wanted: int) -> list[Received]:
        """Raises TimeoutError where the broker's own time-outs fail."""
        try:
            async with asyncio.timeout(self._pull_limit):
                received = await self._broker.pull(self.queue, wanted)
        except TimeoutError:
            raise
        except BaseException:
            self._silent = 0
            raise
        self._silent = 0
        return received

    async def _note_silence(self) -> None:
        self._note_busy()
        self._silent += 1
        if self._silent > SILENT_AT_MOST:
            raise ReceiverSilent(f"{self.queue}: pulls do not end, also over a new connection")
        await self._reconnect(self.queue, f"a pull has not ended within {self._pull_limit:g} s")

    def _note_busy(self) -> None:
        self._idle_since = None
        self._busy_at = time.monotonic()

    async def _wait_for_room(self) -> None:
        if self._room() <= 0:
            self._note_busy()
        self._room_changed.clear()
        await self._room_changed.wait()
