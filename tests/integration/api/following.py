"""A client that follows a job, event by event."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

STREAM = {"Accept": "text/event-stream"}


class Following:
    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()
        self.comments = 0

    async def next(self) -> dict[str, str] | None:
        """The fields of the next event, or of `retry`; None: the stream has ended."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    return fields
        return None

    async def told(self) -> Any:
        """The next event's data: its number, and its state or message."""
        fields = await self.next()
        while fields and "retry" in fields:
            fields = await self.next()
        if fields is None:
            return None
        event = json.loads(fields["data"])
        assert (fields["id"], fields["event"]) == (str(event["seq"]), event["type"])
        return event["seq"], event["data"].get("state") or event["data"].get("message")

    async def rest(self) -> list[Any]:
        events = []
        while (one := await self.told()) is not None:
            events.append(one)
        return events


@asynccontextmanager
async def following(client: httpx.AsyncClient, url: str, after: int | None = None) -> AsyncIterator[Following]:
    """after: as a browser says it."""
    headers = STREAM if after is None else {**STREAM, "Last-Event-ID": str(after)}
    async with client.stream("GET", url, headers=headers) as answer:
        yield Following(answer)
