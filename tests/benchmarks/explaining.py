"""A Database that also asks Postgres how it goes about each statement."""

from typing import Any

from asyncpg import Record

from shared.database.pool import Database
from shared.database.statement import Statement


class Explaining(Database):
    """plans: of each statement that was run, with its real times and buffers.

    The plan is the one for these very values. Where a statement is slower than its plan says, the pool's connections
    run a generic one, which Postgres may settle on after five executions.
    """

    def __init__(self, db: Database, connection: Any) -> None:
        """connection: asyncpg's, for the plans: they are rolled back, and then the statement is really run."""
        self._real = db
        self._connection = connection
        self.plans: dict[str, list[str]] = {}

    async def fetch(self, statement: Statement, **values: Any) -> list[Record]:
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            explain = f"EXPLAIN (ANALYZE, BUFFERS) {statement.sql}"
            lines = await self._connection.fetch(explain, *statement.arguments(values))
        finally:
            await transaction.rollback()
        self.plans[statement.name] = [line[0] for line in lines]
        return await self._real.fetch(statement, **values)
