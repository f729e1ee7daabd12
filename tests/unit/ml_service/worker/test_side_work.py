"""Work on the side: nobody waits for it, and none of it fails unseen."""

import asyncio

import pytest
from structlog.testing import capture_logs

from ml_service.worker.side_work import SideWork


async def fail(error: BaseException) -> None:
    raise error


async def test_the_first_that_fails_is_told_of_and_every_one_logged() -> None:
    work = SideWork()
    with capture_logs() as logs:
        work.start(fail(KeyError("first")), "one")
        work.start(fail(KeyError("second")), "two")
        with pytest.raises(KeyError, match="first"):
            await asyncio.wait_for(work.run(), 5)
        await work.finish()
    assert [entry["work"] for entry in logs] == ["one", "two"]


async def test_who_is_cancelled_has_not_failed() -> None:
    work = SideWork()
    work.start(asyncio.sleep(3600), "sleep")
    watching = asyncio.create_task(work.run())
    await asyncio.sleep(0)
    work.cancel()
    await work.finish()
    await asyncio.sleep(0)
    assert not watching.done()
    watching.cancel()


async def test_it_is_finished_when_what_was_started_meanwhile_is() -> None:
    work, order = SideWork(), list[str]()

    async def second() -> None:
        order.append("second")

    async def first() -> None:
        work.start(second(), "second")
        order.append("first")

    work.start(first(), "first")
    await work.finish()
    assert order == ["first", "second"]
