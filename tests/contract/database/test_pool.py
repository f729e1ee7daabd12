"""The pool: waits for the database, repeats after a deadlock, and raises only our errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Integer, bindparam, func, make_url, select, text, update
from structlog.testing import capture_logs
from structlog.typing import EventDict

from deploy.local.postgres import Postgres
from shared.database import pool as pool_module
from shared.database.notifications import CHANNEL
from shared.database.pool import DEADLOCK_TRIES, Database, check_writable
from shared.database.statement import Statement
from shared.database.tables import jobs
from shared.errors import DatabaseBusy, DatabaseRefused, DatabaseSlow, DatabaseUnavailable, UnknownJob
from tests.contract.database.stage import Stage, until
from tests.link import Link, link_to, nobody

ANSWER = Statement("answer", select(bindparam("number", type_=Integer).label("number")))
SLEEP = Statement("sleep", select(func.pg_sleep(60)))
BACKEND = Statement("backend", select(func.pg_backend_pid().label("pid")))
TOUCH = Statement(
    "touch",
    update(jobs).where(jobs.c.id == bindparam("job_id")).values(revision=jobs.c.revision + 1).returning(jobs.c.id),
)
NOBODY = "postgresql://postgres@127.0.0.1:1/torchrelay"


@pytest.fixture
async def open_pool(shared_url: str) -> AsyncIterator[Callable[..., Awaitable[Database]]]:
    """Opens pools, closed after the test."""
    opened: list[Database] = []

    async def connect(url: str = shared_url, **options: Any) -> Database:
        database = await Database.connect(url, patience=5, **options)
        opened.append(database)
        return database

    yield connect
    for database in opened:
        await database.close()


async def is_asleep(stage: Stage, backend: int) -> bool:
    query = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1"
    return bool(await stage.connection.fetchval(query, backend))


# --- waiting for a database that is not there


async def test_it_waits_for_a_database_that_is_not_there_yet_and_says_so(postgres: Postgres) -> None:
    """As when everything is started at once."""
    with capture_logs() as logs:
        connecting = asyncio.create_task(Database.connect(postgres.url("not_yet"), patience=30))

        async def has_said_so() -> bool:
            return bool(logs)

        await until(has_said_so)
        assert not connecting.done()
        postgres.create_database("not_yet")
        database = await connecting
    await database.ping()
    await database.close()
    first: EventDict = logs[0]
    assert (first["event"], first["log_level"]) == ("waiting for the database", "warning")
    assert 'database "not_yet" does not exist' in first["error"]
    assert 28 <= first["seconds_left"] <= 30


async def test_it_gives_up_in_words_that_help() -> None:
    with pytest.raises(DatabaseUnavailable) as raised:
        await Database.connect(NOBODY, patience=0.05)
    text = str(raised.value)
    assert text.startswith("the database did not answer within 0 s: ")
    assert "onnect" in text
    assert text.endswith("Check DATABASE_URL and that the server runs.")
    assert raised.value.code == "database_unavailable"


async def test_a_url_of_sqlalchemy_s_is_understood(open_pool: Any, shared_url: str) -> None:
    database: Database = await open_pool(shared_url.replace("postgresql://", "postgresql+psycopg2://"))
    assert (await database.fetch(ANSWER, number=7))[0]["number"] == 7


# --- what every connection is


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("synchronous_commit", "on"),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("timezone", "UTC"),
        ("application_name", "torchrelay"),
    ],
)
async def test_every_connection_keeps_to_the_rules(setting: str, value: str, db: Database) -> None:
    """Rule 1: commits of claims and settlements are never asynchronous. Rule 12: time-outs on everything."""
    show = Statement("show", select(func.current_setting(setting).label("value")))
    assert (await db.fetch(show))[0]["value"] == value


async def test_pooled_connections_are_so_many_and_no_more(open_pool: Any) -> None:
    database: Database = await open_pool(size=2)
    backends = await asyncio.gather(*(database.fetch(BACKEND) for _ in range(20)))
    assert len({rows[0]["pid"] for rows in backends}) <= 2


# --- only our errors


async def test_a_statement_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, open_pool: Any) -> None:
    """Nothing hangs for ever: the server ends it, and its connection is good again."""
    monkeypatch.setitem(pool_module._SESSION, "statement_timeout", "20")
    database: Database = await open_pool()
    with pytest.raises(DatabaseSlow, match=r"^sleep: canceling statement due to statement timeout$"):
        await database.fetch(SLEEP)
    assert (await database.fetch(ANSWER, number=7))[0]["number"] == 7


def failing(code: str) -> Statement:
    """Fails with this SQLSTATE."""
    return Statement("failing", text(f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{code}'; END $$"))


async def within(database: Database, where: str, statement: Statement) -> None:
    """Runs it by itself, or in a transaction."""
    if where == "a statement":
        await database.fetch(statement)
        return
    async with database.transaction() as tx:
        await tx.fetch(statement)


WHERE = pytest.mark.parametrize("where", ["a statement", "a transaction"])


@WHERE
@pytest.mark.parametrize(
    "code",
    [
        *("53100", "53200", "53300", "57P01", "57P03", "58030"),
        *("25P04", "28000", "42501", "54000", "55P03", "XX000", "XX001", "XX002"),
        *("26000", "42P05"),  # prepared statements behind a proxy that shares its connections
        *("0A000", "40003", "P0001", "ZZ999"),
    ],
)
async def test_what_the_server_says_of_itself_is_waited_for(db: Database, code: str, where: str) -> None:
    """A full disk is no reason for a worker to drop its results, nor to end; nor is what nobody has thought of."""
    with pytest.raises(DatabaseUnavailable, match=r": so it is$"):
        await within(db, where, failing(code))


@WHERE
@pytest.mark.parametrize("code", ["22P05", "22003", "23514", "54001"])
async def test_what_it_says_of_a_value_is_a_refusal(db: Database, code: str, where: str) -> None:
    """To repeat it would go on for ever."""
    with pytest.raises(DatabaseRefused, match=r": so it is$"):
        await within(db, where, failing(code))


@WHERE
@pytest.mark.parametrize("code", ["42601", "42P01", "42703", "42883"])
async def test_a_statement_that_is_itself_wrong_is_not_waited_for(db: Database, code: str, where: str) -> None:
    """Nobody mends a fault of ours by waiting: it has to be seen."""
    with pytest.raises(asyncpg.PostgresError, match=r"^so it is$"):
        await within(db, where, failing(code))


@WHERE
async def test_a_commit_that_fails_is_waited_for(database_url: str, open_pool: Any, where: str) -> None:
    """As each one that notifies does while the queue of notifications is full."""
    database: Database = await open_pool(database_url)
    for prepare in (
        "CREATE TABLE full_queue (id int)",
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'too many notifications' USING ERRCODE = '54000'; END $$""",
        """CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON full_queue DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse()""",
    ):
        await database.fetch(Statement("prepare", text(prepare)))
    with pytest.raises(DatabaseUnavailable, match=r": too many notifications$"):
        await within(database, where, Statement("insert", text("INSERT INTO full_queue VALUES (1)")))


@pytest.mark.parametrize("error", [KeyError("ours"), UnknownJob("ours"), asyncio.CancelledError()])
async def test_what_is_not_the_driver_s_comes_through_a_transaction(db: Database, error: BaseException) -> None:
    async def fail() -> None:
        async with db.transaction() as tx:
            await tx.fetch(ANSWER, number=1)
            raise error

    with pytest.raises(type(error)) as raised:
        await fail()
    assert raised.value is error


# --- a failover: the servers that our connections lead to can only be read any more


READ_ONLY_FROM_NOW = Statement(
    "read_only_from_now", text("SELECT set_config('default_transaction_read_only', 'on', false)")
)


async def touch_nothing(database: Database) -> None:
    await database.fetch(TOUCH, job_id=None)


async def test_after_a_failover_no_connection_to_the_old_primary_is_kept(open_pool: Any) -> None:
    """One statement finds out for all of them."""
    database: Database = await open_pool(size=2)
    async with database.transaction() as one, database.transaction() as other:  # so that it is each of them
        await one.fetch(READ_ONLY_FROM_NOW)
        await other.fetch(READ_ONLY_FROM_NOW)
    with pytest.raises(DatabaseUnavailable, match=r"^touch: .* read-only transaction$"):
        await touch_nothing(database)
    await asyncio.gather(*(touch_nothing(database) for _ in range(4)))


async def test_a_transaction_finds_out_too(open_pool: Any) -> None:
    database: Database = await open_pool(size=1)
    await database.fetch(READ_ONLY_FROM_NOW)
    with pytest.raises(DatabaseUnavailable, match=r"^transaction: .* read-only transaction$"):
        async with database.transaction() as tx:
            await tx.fetch(TOUCH, job_id=None)
    await touch_nothing(database)


async def test_whoever_asks_for_its_health_is_told_and_finds_out(open_pool: Any) -> None:
    database: Database = await open_pool(size=1)
    await database.fetch(READ_ONLY_FROM_NOW)
    with pytest.raises(DatabaseUnavailable, match=r"^ping: the server can only be read"):
        await database.ping()
    await database.ping()
    await touch_nothing(database)


async def test_no_connection_is_made_to_a_server_that_can_only_be_read(
    database_url: str, open_pool: Any, stage: Stage
) -> None:
    """It may lag behind: a client would be told less than it knows already."""
    database: Database = await open_pool(database_url, size=1)
    name = make_url(database_url).database
    await stage.connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await database.fetch(READ_ONLY_FROM_NOW)
    for _ in range(2):  # by the connection there was, and by a new one
        with pytest.raises(DatabaseUnavailable, match=r"^ping: the server can only be read"):
            await database.ping()
    with pytest.raises(DatabaseUnavailable, match=r"^listen: the server can only be read"):
        await database.listener()
    with pytest.raises(DatabaseUnavailable, match=r"within 0 s: the server can only be read"):
        await Database.connect(database_url, patience=0.05)


async def test_a_listener_can_be_asked_whether_there_is_still_something_to_be_heard(db: Database) -> None:
    listener = await db.listener()
    await check_writable(listener, timeout=5.0)
    await listener.execute("SET default_transaction_read_only = on")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError, match="can only be read"):
        await check_writable(listener, timeout=5.0)
    await listener.close()


# --- limits in time


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch, open_pool: Any) -> None:
    """As over a half-open connection, where no answer of the server's comes through: the client's own limit."""
    monkeypatch.setattr(pool_module, "COMMAND_TIMEOUT", 0.05)
    database: Database = await open_pool()
    with pytest.raises(DatabaseUnavailable, match=r"^sleep: TimeoutError$"):
        await database.fetch(SLEEP)


async def test_waiting_for_a_free_connection_has_an_end(monkeypatch: pytest.MonkeyPatch, open_pool: Any) -> None:
    database: Database = await open_pool(size=1)
    monkeypatch.setattr(pool_module, "COMMAND_TIMEOUT", 0.05)
    async with database.transaction():
        with pytest.raises(DatabaseUnavailable, match=r"^answer: TimeoutError$"):
            await database.fetch(ANSWER, number=7)


async def test_an_idle_transaction_does_not_hold_its_locks_for_ever(
    monkeypatch: pytest.MonkeyPatch, open_pool: Any, stage: Stage
) -> None:
    """Rule 12: a reconciler that hangs half-way through its tick loses it."""
    job_id = await stage.queued()
    monkeypatch.setitem(pool_module._SESSION, "idle_in_transaction_session_timeout", "20")
    database: Database = await open_pool()

    async def hang_in_a_transaction() -> None:
        async with database.transaction() as tx:
            await tx.fetch(TOUCH, job_id=job_id)
            await stage.lock(job_id)  # returns once the other's lock is gone
            await tx.fetch(ANSWER, number=7)

    with pytest.raises(DatabaseUnavailable, match=r"^transaction: "):
        await hang_in_a_transaction()
    assert (await stage.row(job_id))["revision"] == 1


async def test_a_connection_cut_off_is_reported_and_replaced(open_pool: Any, stage: Stage) -> None:
    """As by a restart of the server: the next statement finds a new connection."""
    database: Database = await open_pool(size=1)
    (row,) = await database.fetch(BACKEND)
    sleeping = asyncio.create_task(database.fetch(SLEEP))
    await until(lambda: is_asleep(stage, row["pid"]))
    await stage.connection.execute("SELECT pg_terminate_backend($1)", row["pid"])
    with pytest.raises(DatabaseUnavailable, match=r"^sleep: .*terminating connection"):
        await sleeping
    await database.ping()
    assert (await database.fetch(BACKEND))[0]["pid"] != row["pid"]


async def test_a_closed_pool_is_unavailable(shared_url: str) -> None:
    database = await Database.connect(shared_url)
    await database.close()
    for ask in (database.ping(), database.fetch(ANSWER, number=7)):
        with pytest.raises(DatabaseUnavailable, match="pool is clos"):
            await ask


async def test_closing_waits_for_nobody_for_long(
    monkeypatch: pytest.MonkeyPatch, shared_url: str, stage: Stage
) -> None:
    database = await Database.connect(shared_url)
    (row,) = await database.fetch(BACKEND)
    sleeping = asyncio.create_task(database.fetch(SLEEP))
    await until(lambda: is_asleep(stage, row["pid"]))
    monkeypatch.setattr(pool_module, "CLOSE_TIMEOUT", 0.05)
    await database.close()
    with pytest.raises(DatabaseUnavailable):
        await sleeping


# --- rule 4: deadlocks


async def deadlock(stage: Stage, statement: Callable[[], Awaitable[Any]]) -> Any:
    """`statement` locks a job and waits for this transaction's, which then waits for it: the statement is the victim."""
    async with stage.holding():
        await stage.connection.execute("SET LOCAL deadlock_timeout = '1 min'")
        first, second = [row["id"] for row in await stage.rows()]
        await stage.lock(second)
        running = asyncio.ensure_future(statement())
        await stage.until_waiting()
        await stage.lock(first)
    return await running


# Locks in the order of ids, as rule 4 wants it; the other side in these tests does not.
TOUCH_ALL = Statement(
    "touch_all",
    update(jobs)
    .where(jobs.c.id.in_(select(jobs.c.id).order_by(jobs.c.id).with_for_update().scalar_subquery()))
    .values(revision=jobs.c.revision + 1)
    .returning(jobs.c.id),
)


async def test_a_statement_that_met_a_deadlock_is_repeated(db: Database, stage: Stage) -> None:
    """Rule 4: its caller never hears of it."""
    await stage.jobs(2)
    with capture_logs() as logs:
        rows = await deadlock(stage, lambda: db.fetch(TOUCH_ALL))
    assert len(rows) == 2
    assert [row["revision"] for row in await stage.rows()] == [2, 2]
    assert [(entry["event"], entry["statement"]) for entry in logs] == [("repeating a statement", "touch_all")]
    assert "deadlock detected" in logs[0]["error"]


async def test_a_statement_that_meets_only_deadlocks_is_given_up(db: Database, stage: Stage) -> None:
    """Rule 4: after a few times, as unavailable, which says: repeat it later."""
    always = Statement("always", select(func.always_a_deadlock().label("number")))
    await stage.connection.execute(
        """CREATE OR REPLACE FUNCTION always_a_deadlock() RETURNS int LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'no end of them' USING ERRCODE = '40P01'; END $$"""
    )
    with capture_logs() as logs, pytest.raises(DatabaseUnavailable, match=r"^always: no end of them$"):
        await db.fetch(always)
    assert len(logs) == DEADLOCK_TRIES - 1


async def test_a_deadlock_within_a_transaction_is_its_owner_s_to_repeat(db: Database, stage: Stage) -> None:
    """Rule 12: a tick is repeated as a whole; half of it is not there."""
    await stage.jobs(2)

    async def tick() -> None:
        async with db.transaction() as tx:
            await tx.fetch(TOUCH_ALL)

    with pytest.raises(DatabaseBusy, match=r"^transaction: deadlock detected"):
        await deadlock(stage, tick)
    assert [row["revision"] for row in await stage.rows()] == [1, 1]


# --- transactions and listeners


async def test_a_transaction_commits_all_or_nothing(db: Database, stage: Stage) -> None:
    job_id = await stage.queued()

    async def fail() -> None:
        async with db.transaction() as tx:
            await tx.fetch(TOUCH, job_id=job_id)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    assert (await stage.row(job_id))["revision"] == 1
    async with db.transaction() as tx:
        await tx.fetch(TOUCH, job_id=job_id)
        await tx.fetch(TOUCH, job_id=job_id)
    assert (await stage.row(job_id))["revision"] == 3


async def test_a_listener_hears_and_tells_when_it_is_cut_off(db: Database, stage: Stage) -> None:
    """Outside the pool; so that its owner can reconnect."""
    listener = await db.listener()
    heard: asyncio.Queue[str] = asyncio.Queue()
    ended = asyncio.Event()
    await listener.add_listener(CHANNEL, lambda *event: heard.put_nowait(event[-1]))
    listener.add_termination_listener(lambda _: ended.set())
    await stage.connection.execute("SELECT pg_notify($1, 'hello')", CHANNEL)
    assert await asyncio.wait_for(heard.get(), 5) == "hello"
    await stage.connection.execute("SELECT pg_terminate_backend($1)", listener.get_server_pid())
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_listener_without_a_server_is_unavailable(shared_url: str) -> None:
    database = await Database.connect(shared_url)
    database._url = NOBODY
    with pytest.raises(DatabaseUnavailable, match=r"^listen: "):
        await database.listener()
    await database.close()


# --- statements


async def test_a_parameter_that_a_statement_does_not_have_is_refused(db: Database) -> None:
    with pytest.raises(TypeError, match="answer has no parameter nubmer"):
        await db.fetch(ANSWER, nubmer=7)


async def test_a_parameter_that_was_forgotten_is_refused(db: Database) -> None:
    """It would be a NULL, which asks something else."""
    with pytest.raises(TypeError, match="answer needs number"):
        await db.fetch(ANSWER)


async def test_statements_carry_their_names_to_the_server(open_pool: Any, stage: Stage) -> None:
    """For whoever looks at pg_stat_activity or the slow log."""
    database: Database = await open_pool(size=1)
    (row,) = await database.fetch(BACKEND)
    sleeping = asyncio.create_task(database.fetch(SLEEP))
    await until(lambda: is_asleep(stage, row["pid"]))
    query = "SELECT query FROM pg_stat_activity WHERE pid = $1"
    assert (await stage.connection.fetchval(query, row["pid"])).startswith("/* sleep */ SELECT")
    await stage.connection.execute("SELECT pg_cancel_backend($1)", row["pid"])
    with pytest.raises(DatabaseUnavailable, match=r"^sleep: canceling statement due to user request$"):
        await sleeping


# --- a line that is half-open: whoever is asked never answers


@pytest.fixture
async def stranded(
    postgres: Postgres, open_pool: Callable[..., Awaitable[Database]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Database, Link]]:
    """A pool, and its line, which is well at first. A statement's time-out is long beside the dead line's."""
    monkeypatch.setattr(pool_module, "COMMAND_TIMEOUT", PATIENCE)
    async with link_to(lambda: asyncio.open_unix_connection(postgres.socket_folder / ".s.PGSQL.5432")) as link:
        database = await open_pool(f"postgresql://postgres@{link.address}/postgres")
        await database.fetch(ANSWER, number=1)
        yield database, link


PATIENCE = 6.0  # seconds; twice of it must not pass


async def test_a_statement_on_a_dead_line_takes_its_time_out_and_not_twice_that(
    stranded: tuple[Database, Link],
) -> None:
    """Or a heartbeat would have had its last chance before its lease is over."""
    database, link = stranded
    link.strand()
    async with asyncio.timeout(2 * PATIENCE - 1):
        with pytest.raises(DatabaseUnavailable):
            await database.fetch(ANSWER, number=1)


async def test_a_transaction_whose_line_dies_takes_a_time_out_and_not_twice_that(
    stranded: tuple[Database, Link],
) -> None:
    database, link = stranded

    async def interrupted() -> None:
        async with database.transaction() as transaction:
            await transaction.fetch(ANSWER, number=1)
            link.strand()
            await transaction.fetch(ANSWER, number=1)

    async with asyncio.timeout(2 * PATIENCE - 1):
        with pytest.raises(DatabaseUnavailable):
            await interrupted()


@pytest.mark.parametrize("within", ["a statement", "a transaction"])
async def test_who_is_cancelled_on_a_dead_line_is_cancelled(stranded: tuple[Database, Link], within: str) -> None:
    """And not told that the database is away, which a service would deal with, and go on for ever."""
    database, link = stranded

    async def in_a_transaction() -> None:
        async with database.transaction() as transaction:
            await transaction.fetch(ANSWER, number=1)

    asking = asyncio.create_task(database.fetch(ANSWER, number=1) if within == "a statement" else in_a_transaction())
    link.strand()
    await asyncio.sleep(0)  # let it ask
    await asyncio.sleep(0)
    asking.cancel()
    async with asyncio.timeout(PATIENCE - 1):
        with pytest.raises(asyncio.CancelledError):
            await asking


# --- a server that is gone without a word


async def test_a_server_that_accepts_and_says_nothing_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "CONNECT_TIMEOUT", 0.2)
    async with link_to(nobody) as link, asyncio.timeout(10):
        with pytest.raises(DatabaseUnavailable):
            await Database.connect(f"postgresql://postgres@{link.address}/torchrelay", patience=0.5)


@pytest.fixture
async def silenced(postgres: Postgres, shared_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A pool whose connections are half-open; new ones work."""
    monkeypatch.setattr(pool_module, "COMMAND_TIMEOUT", 0.3)
    async with link_to(lambda: asyncio.open_unix_connection(postgres.socket_folder / ".s.PGSQL.5432")) as link:
        url = f"postgresql://postgres@{link.address}/{make_url(shared_url).database}?sslmode=disable"
        database = await Database.connect(url, size=2, patience=5)
        await asyncio.gather(*(database.fetch(BACKEND) for _ in range(2)))
        link.strand()
        yield database
        await database.close()


async def test_a_half_open_connection_is_given_up_and_replaced(silenced: Database) -> None:
    async with asyncio.timeout(20):
        failures = 0
        while True:
            try:
                assert (await silenced.fetch(ANSWER, number=7))[0]["number"] == 7
            except DatabaseUnavailable:
                failures += 1
            else:
                break
    assert 1 <= failures <= 2  # each of the old connections once


async def test_a_half_open_connection_ends_a_transaction(silenced: Database) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(DatabaseUnavailable):
            async with silenced.transaction() as tx:
                await tx.fetch(BACKEND)


async def test_a_half_open_connection_fails_the_health_check_in_time(silenced: Database) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(DatabaseUnavailable):
            await silenced.ping()


@pytest.mark.parametrize("setting", ["tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"])
async def test_the_server_looks_after_every_connection(
    setting: str, silenced: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what a client that is gone had locked stays locked for hours."""
    assert setting in pool_module._SESSION
    asked: list[dict[str, str]] = []

    async def connect(*_: Any, server_settings: dict[str, str], **__: Any) -> None:
        asked.append(server_settings)

    monkeypatch.setattr(asyncpg, "connect", connect)
    await silenced.listener()
    assert setting in asked[0]
