"""Services that run beside the requests."""

import asyncio

import pytest

from api_service import background
from api_service.background import running


class Fragile:
    """Breaks the first time, goes on for ever the second."""

    name = "fragile"

    def __init__(self) -> None:
        self.starts = 0
        self.settled = asyncio.Event()
        self.stopped = False

    async def run(self) -> None:
        self.starts += 1
        if self.starts == 1:
            raise RuntimeError("broken")
        self.settled.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped = True


class FullDisk:
    """A log that cannot be written."""

    def exception(self, event: str, **_: object) -> None:
        raise OSError(28, "No space left on device")


async def test_a_service_that_breaks_is_started_again_and_stopped_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PAUSE", 0.0)
    service = Fragile()

    async with running([service]):
        await service.settled.wait()

    assert (service.starts, service.stopped) == (2, True)


async def test_it_is_started_again_even_if_that_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PAUSE", 0.0)
    monkeypatch.setattr(background, "log", FullDisk())
    service = Fragile()

    async with running([service]), asyncio.timeout(10):
        await service.settled.wait()

    assert service.starts == 2
