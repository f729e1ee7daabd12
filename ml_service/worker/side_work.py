"""Tasks that nobody waits for: kept from being collected, and looked at, so that none of them fails unseen."""

import asyncio
from collections.abc import Coroutine

import structlog

log = structlog.get_logger(__name__)


class SideWork:
    """What expects an error deals with it itself: one that comes out of a task is a fault of ours."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed = asyncio.Event()
        self._error: BaseException | None = None  # the first one's

    def start(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    async def run(self) -> None:
        """Goes on for ever, unless one of them fails: then it raises the same. For whoever has to end with it."""
        await self._failed.wait()
        assert self._error is not None
        raise self._error

    async def finish(self) -> None:
        """Waits until there are none left, and raises nothing."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self._error = self._error or error
        self._failed.set()
        log.error("work on the side has failed", work=task.get_name(), exc_info=error)
