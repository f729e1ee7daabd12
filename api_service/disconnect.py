"""Giving up on behalf of a client that has gone away."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

_Answer = TypeVar("_Answer")


async def unless_gone(request: Request, work: Coroutine[None, None, _Answer]) -> _Answer:
    """Runs `work`; if the client goes away first, cancels it and raises ClientDisconnect. The body must be read by now."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
