"""Rule 10: a worker starts nothing beside an unsettled lone attempt, and a lone attempt beside nothing."""

import asyncio


class LoneGate:
    """Many ordinary batches, or one lone attempt. Who waits to be alone is not overtaken by newcomers."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._ordinary = 0
        self._lone = False
        self._lone_waiting = 0

    async def enter(self, *, alone: bool) -> None:
        async with self._changed:
            if alone:
                await self._enter_alone()
            else:
                await self._changed.wait_for(lambda: not self._lone and not self._lone_waiting)
                self._ordinary += 1

    def try_enter(self) -> bool:
        """Enters as an ordinary batch, if that needs no waiting."""
        free = not self._lone and not self._lone_waiting
        self._ordinary += free
        return free

    async def leave(self, *, alone: bool) -> None:
        async with self._changed:
            if alone:
                self._lone = False
            else:
                self._ordinary -= 1
            self._changed.notify_all()

    async def _enter_alone(self) -> None:
        self._lone_waiting += 1
        try:
            await self._changed.wait_for(lambda: not self._lone and not self._ordinary)
            self._lone = True
        finally:
            self._lone_waiting -= 1
            self._changed.notify_all()
