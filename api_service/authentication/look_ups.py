"""Keys that are asked for together share one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from shared.database.keys import ApiKey

Found = tuple[ApiKey | None, float]  # and when the statement began


class LookUps:
    """One statement at a time, for all ids that have been asked for since the one before began.

    pause: seconds that it begins after the one before, at the earliest.
    """

    def __init__(
        self,
        find: Callable[[Sequence[str]], Awaitable[Sequence[ApiKey | None]]],
        pause: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._find = find
        self._pause = pause
        self._clock = clock
        self._sleep = sleep
        self._asked: dict[str, asyncio.Future[Found]] = {}
        self._working: asyncio.Task[None] | None = None
        self._began = float("-inf")

    async def of(self, key_id: str) -> Found:
        """Raises DatabaseUnavailable. One that gives up takes nobody along."""
        if key_id not in self._asked:
            answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
            answer.add_done_callback(_heard)
            self._asked[key_id] = answer
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await asyncio.shield(self._asked[key_id])

    async def _work(self) -> None:
        while self._asked:
            if (early := self._began + self._pause - self._clock()) > 0:
                await self._sleep(early)
            self._began = self._clock()
            asked, self._asked = self._asked, {}
            try:
                found = await self._find(list(asked))
            except Exception as error:  # noqa: BLE001 - whatever it is, those who asked must hear of it
                for answer in asked.values():
                    answer.set_exception(error)
            else:
                for answer, key in zip(asked.values(), found, strict=True):
                    answer.set_result((key, self._began))
            finally:
                for answer in asked.values():
                    answer.cancel()  # what is still open when this is ended itself


def _heard(answer: "asyncio.Future[Found]") -> None:
    """All who asked may have gone away: an error that nobody hears of is none to be logged."""
    if not answer.cancelled():
        answer.exception()
