"""The connection to Postgres: a pool of asyncpg connections that runs Statements and raises only our errors."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import asyncpg
import structlog

from shared.database.statement import Statement
from shared.errors import (
    DatabaseBusy,
    DatabaseRefused,
    DatabaseSlow,
    DatabaseUnavailable,
    ReferenceGone,
    TorchrelayError,
)

_Answer = TypeVar("_Answer")

log = structlog.get_logger(__name__)

# A statement that takes longer has met a lock or a dead connection: give up, say so, let the caller repeat it.
STATEMENT_TIMEOUT = 10.0
# The client's own limit is a little later, so that the server's clearer answer comes first where there is a server.
COMMAND_TIMEOUT = STATEMENT_TIMEOUT + 2.0
# What the client gave up, the server would have: the line is dead. Its connection is dropped rather than waited for.
CANCEL_TIMEOUT = 1.0
CONNECT_TIMEOUT = 5.0
CLOSE_TIMEOUT = 5.0
PING_TIMEOUT = 1.0
DEADLOCK_TRIES = 5

# A connection that nobody uses keeps its place in the tables of what lies in between, and the server notices who is gone:
# what that one had locked would stay locked.
_KEEPALIVE = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
_SESSION = {
    **_KEEPALIVE,
    "statement_timeout": str(int(STATEMENT_TIMEOUT * 1000)),
    "idle_in_transaction_session_timeout": str(int(STATEMENT_TIMEOUT * 1000)),
    "synchronous_commit": "on",  # a claim or settlement that was answered must survive a crash (rule 1)
    "jit": "off",  # compiles longer than any statement here runs
    "timezone": "UTC",
}
# A standby, or a primary that is being replaced, may lag behind what clients were told: better none than that one.
_READ_WRITE = "read-write"
_READ_ONLY = "the server can only be read: a standby, or the primary before a failover"

# What comes of the server, or of the line to it.
_DRIVERS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# What such an error is to us: the first line that fits. None: a fault of ours, or a schema that was not migrated.
_MEANINGS: tuple[tuple[type[Exception], type[TorchrelayError] | None], ...] = (
    (asyncpg.ForeignKeyViolationError, ReferenceGone),
    (asyncpg.IntegrityConstraintViolationError, DatabaseRefused),
    (asyncpg.DataError, DatabaseRefused),
    (asyncpg.StatementTooComplexError, DatabaseRefused),  # a value is nested too deeply
    (asyncpg.DeadlockDetectedError, DatabaseBusy),
    (asyncpg.SerializationError, DatabaseBusy),
    (asyncpg.QueryCanceledError, DatabaseSlow),
    (asyncpg.InsufficientPrivilegeError, DatabaseUnavailable),  # a person mends it
    (asyncpg.DuplicatePreparedStatementError, DatabaseUnavailable),  # of a proxy that shares its connections
    (asyncpg.SyntaxOrAccessError, None),  # to wait would hide it
    # A full disk, no connection left, a queue of notifications that nobody empties, and what nobody has thought of.
    (Exception, DatabaseUnavailable),
)
_TRY_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class Transaction:
    """Statements inside one transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._connection.fetch(statement.sql, *statement.arguments(values))
        return rows


class Database:
    """A pool. Raises DatabaseUnavailable where the server does not answer in time, and never a driver's error, but for
    those that say that a statement itself is wrong (decision 0030).
    """

    def __init__(self, pool: Any, url: str) -> None:
        self._pool = pool
        self._url = url

    @classmethod
    async def connect(
        cls, url: str, *, size: int = 8, patience: float = 60.0, application: str = "torchrelay"
    ) -> "Database":
        """Waits up to `patience` seconds for a server that is not there yet, and says that it waits."""
        url = url.replace("postgresql+psycopg2://", "postgresql://")
        deadline = time.monotonic() + patience
        delay = 0.1
        while True:
            try:
                pool = await asyncpg.create_pool(
                    url,
                    min_size=1,
                    max_size=size,
                    timeout=CONNECT_TIMEOUT,
                    command_timeout=COMMAND_TIMEOUT,
                    max_inactive_connection_lifetime=300,
                    reset=_nothing_to_reset,
                    target_session_attrs=_READ_WRITE,
                    server_settings={**_SESSION, "application_name": application},
                )
            except _DRIVERS as error:
                if time.monotonic() + delay > deadline:
                    raise DatabaseUnavailable(
                        f"the database did not answer within {patience:.0f} s: {_describe(error)}. "
                        "Check DATABASE_URL and that the server runs."
                    ) from error
                log.warning(
                    "waiting for the database", error=_describe(error), seconds_left=round(deadline - time.monotonic())
                )
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)
            else:
                return cls(pool, url)

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), CLOSE_TIMEOUT)
        except _DRIVERS:
            self._pool.terminate()

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        """Runs one statement in a transaction of its own."""
        arguments = statement.arguments(values)

        async def run() -> list[asyncpg.Record]:
            connection = await self._pool.acquire(timeout=COMMAND_TIMEOUT)
            try:
                rows: list[asyncpg.Record] = await connection.fetch(statement.sql, *arguments)
                return rows
            finally:
                await self._give_back(connection)

        return await self._answered(statement.name, run)

    async def fetch_row(self, statement: Statement, **values: Any) -> asyncpg.Record | None:
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Several statements, one commit. A deadlock is the caller's to repeat: it comes as DatabaseBusy."""
        try:
            connection = await self._pool.acquire(timeout=COMMAND_TIMEOUT)
            try:
                async with _all_or_nothing(connection):
                    yield Transaction(connection)
            finally:
                await self._give_back(connection)
        except _DRIVERS as error:
            await self._translate("transaction", error)
            raise

    async def ping(self) -> None:
        """Raises DatabaseUnavailable also where the server can only be read."""

        async def run() -> None:
            connection = await self._pool.acquire(timeout=PING_TIMEOUT)
            try:
                await check_writable(connection, timeout=PING_TIMEOUT)
            finally:
                await self._give_back(connection)

        await self._answered("ping", run)

    async def listener(self) -> Any:
        """A connection of its own for LISTEN, outside the pool."""

        async def run() -> Any:
            return await asyncpg.connect(
                self._url,
                timeout=CONNECT_TIMEOUT,
                command_timeout=COMMAND_TIMEOUT,
                server_settings=_KEEPALIVE,
                target_session_attrs=_READ_WRITE,
            )

        return await self._answered("listen", run)

    @asynccontextmanager
    async def alone(self, number: int) -> AsyncIterator[bool]:
        """Whether nobody else is inside with this number. For what takes long and is no transaction.

        The lock is its connection's: should that be lost, another one may come in. Raises DatabaseUnavailable.
        """
        connection = await self.listener()

        async def run() -> bool:
            return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", number))

        try:
            yield await self._answered("alone", run)
        finally:
            connection.terminate()

    async def _give_back(self, connection: Any) -> None:
        """Never raises for the line's sake: a cancellation on its way out must not turn into an error that is dealt with."""
        with suppress(*_DRIVERS):
            await self._pool.release(connection, timeout=CANCEL_TIMEOUT)

    async def _answered(self, name: str, run: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Runs it; repeats it after a deadlock (rule 4); translates the driver's errors."""
        for tries_left in reversed(range(DEADLOCK_TRIES)):
            try:
                return await run()
            except _TRY_AGAIN as error:
                if not tries_left:
                    raise DatabaseUnavailable(f"{name}: {_describe(error)}") from error
                log.info("repeating a statement", statement=name, error=_describe(error))
                await asyncio.sleep(random.uniform(0, 0.05))  # noqa: S311 - jitter, not a secret
            except _DRIVERS as error:
                await self._translate(name, error)
                raise
        raise AssertionError("unreachable")

    async def _translate(self, name: str, error: Exception) -> None:
        """Raises ours in its place. Returns where there is none, for a statement that is itself wrong."""
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            await self._pool.expire_connections()  # there was a failover: they lead to the one that was the primary
        meaning = next(ours for drivers, ours in _MEANINGS if isinstance(error, drivers))
        if meaning is not None:
            raise meaning(f"{name}: {_describe(error)}") from error


async def check_writable(connection: Any, timeout: float) -> None:  # noqa: ASYNC109 - the driver's own
    """Whether it answers, and takes what is written. Raises the driver's errors: what a write would meet, too."""
    if await connection.fetchval("SELECT current_setting('transaction_read_only')::boolean", timeout=timeout):
        raise asyncpg.ReadOnlySQLTransactionError(_READ_ONLY)


@asynccontextmanager
async def _all_or_nothing(connection: Any) -> AsyncIterator[None]:
    """A transaction. asyncpg's own would roll back on a line that has just timed out, which takes as long again, and let
    the failure of that take the place of a cancellation: without a connection the server rolls back by itself.
    """
    transaction = connection.transaction()
    try:
        await transaction.start()
        yield
    except (TimeoutError, asyncio.CancelledError):
        connection.terminate()
        raise
    except BaseException:
        if connection.is_in_transaction():
            await transaction.rollback()
        raise
    else:
        await transaction.commit()


async def _nothing_to_reset(_connection: Any) -> None:
    """No statement here leaves anything behind in its session; asyncpg's own reset would be a round trip for each."""


def _describe(error: BaseException) -> str:
    """In one line: what follows it may hold a row's values, which are nobody's business in a log."""
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return _READ_ONLY
    return str(error).partition("\n")[0] or type(error).__name__
