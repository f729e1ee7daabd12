"""A real database that fails when a test wants it to."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from shared.database.pool import Database, Transaction
from shared.database.statement import Statement
from shared.errors import DatabaseUnavailable


class UnsteadyDatabase(Database):
    """away: nothing is executed. refuse: so many calls of a statement are not executed. lose: they are, but not answered.

    hold: the answers of these statements wait for the event. asked: how often each statement was. faults: what the next of
    these statements raises.
    """

    def __init__(self, real: Database) -> None:
        super().__init__(real._pool, real._url)
        self.away = False
        self.refuse: Counter[str] = Counter()
        self.lose: Counter[str] = Counter()
        self.hold: dict[str, asyncio.Event] = {}
        self.faults: dict[str, Exception] = {}
        self.asked: defaultdict[str, int] = defaultdict(int)
        self._happened = asyncio.Event()

    async def until(self, condition: Callable[[], bool], limit: float = 10.0) -> None:
        """Looks whenever something was asked of the database, and when it has answered."""
        async with asyncio.timeout(limit):
            while not condition():
                self._happened.clear()
                await self._happened.wait()

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        name = statement.name
        self.asked[name] += 1
        self._happened.set()
        if self.away or self._takes(self.refuse, name):
            raise DatabaseUnavailable(f"{name}: away")
        if name in self.faults:
            raise self.faults.pop(name)
        rows = await super().fetch(statement, **values)
        if name in self.hold:
            await self.hold[name].wait()
        self._happened.set()
        if self._takes(self.lose, name):
            raise DatabaseUnavailable(f"{name}: the answer is lost")
        return rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.asked["transaction"] += 1
        self._happened.set()
        if self.away:
            raise DatabaseUnavailable("transaction: away")
        async with super().transaction() as tx:
            yield tx

    def _takes(self, counter: Counter[str], name: str) -> bool:
        counter[name] -= 1
        return counter[name] >= 0
