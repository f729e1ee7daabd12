"""The migrations: there and back again, and that they make what tables.py says."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, NullPool, create_engine, make_url, text
from structlog.testing import capture_logs

from deploy.local.postgres import Postgres
from shared.database import migrate
from shared.database.migrate import _configured, downgrade, upgrade
from shared.database.tables import metadata
from shared.errors import DatabaseUnavailable

# What Alembic does not compare: conditions of partial indexes, the texts of checks, the order of columns.
CATALOGUE = {
    "columns": """SELECT table_name, column_name, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
        ORDER BY table_name, column_name""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2""",
    "indexes": """SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        AND tablename <> 'alembic_version' ORDER BY 1""",
}


@pytest.fixture
def empty_url(postgres: Postgres, request: pytest.FixtureRequest) -> str:
    """An empty database for this test alone."""
    name = request.node.name
    postgres.create_database(name)
    return postgres.url(name)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    yield from connected(database_url)


@pytest.fixture
def empty(empty_url: str) -> Iterator[Connection]:
    yield from connected(empty_url)


def connected(url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def tables(connection: Connection) -> set[str]:
    connection.commit()
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    return set(connection.scalars(text(query)))


def test_alembic_finds_nothing_to_add(connection: Connection) -> None:
    """Whoever changes tables.py writes a migration."""
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize("part", CATALOGUE)
def test_the_migrations_make_what_the_tables_say(part: str, connection: Connection, empty: Connection) -> None:
    """To the letter of Postgres's own catalogue: also checks, and the conditions of partial indexes."""
    metadata.create_all(empty)
    made, meant = (one.execute(text(CATALOGUE[part])).all() for one in (connection, empty))
    assert made == meant
    assert len(meant) > 10


def test_up_down_and_up_again(empty_url: str, empty: Connection) -> None:
    upgrade(empty_url)
    everything = tables(empty)
    assert everything == {*metadata.tables, "alembic_version"}
    downgrade(empty_url, "base")
    assert tables(empty) == {"alembic_version"}
    upgrade(empty_url)
    assert tables(empty) == everything


def test_upgrading_what_is_up_to_date_changes_nothing(empty_url: str, empty: Connection) -> None:
    upgrade(empty_url)
    empty.execute(text("INSERT INTO workers VALUES (gen_random_uuid(), 'w', 'cpu', 'alive', now(), now(), now())"))
    empty.commit()
    upgrade(empty_url)
    assert empty.scalar(text("SELECT count(*) FROM workers")) == 1


def test_two_upgrades_at_once_do_not_trip_over_each_other(empty_url: str, empty: Connection) -> None:
    """The second waits for the first, and finds nothing left to do."""
    impatient = empty_url + "&options=-c%20statement_timeout%3D20s"
    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(upgrade, impatient) for _ in range(3)]:
            done.result()
    assert "jobs" in tables(empty)


def test_a_database_that_never_comes_is_reported_in_words_that_help() -> None:
    nobody = "postgresql://postgres@127.0.0.1:1/torchrelay"
    hint = r"did not answer within 1 s: .*refused(.|\n)*Check DATABASE_URL"
    with capture_logs() as logs, pytest.raises(DatabaseUnavailable, match=hint):
        upgrade(nobody, patience=1)
    assert {entry["event"] for entry in logs} == {"waiting for the database"}


# --- beside the traffic of the release before

JOB = """INSERT INTO jobs (id, owner, task, model, version, queue, state, input, max_attempts, available_at, queue_ttl,
    queue_deadline, execution_timeout, created_at) VALUES (gen_random_uuid(), 'local', 'inference', 'echo', 1, 'echo', 'queued',
    '{}', 3, now(), '1 h', now() + interval '1 h', '1 min', now())"""
WAITING_FOR_A_LOCK = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE :doing"""


def until(condition: Callable[[], bool], limit: float = 30.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def traffic(empty_url: str) -> Iterator[Connection]:
    """Another service's connection, which is not patient."""
    for connection in connected(empty_url):
        connection.execute(text("SET statement_timeout = '5s'"))
        connection.commit()
        yield connection


def test_who_waits_for_a_table_lets_the_others_pass(
    empty_url: str, empty: Connection, traffic: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a statement that waits for an exclusive lock everybody else would wait, too, as long as the first."""
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", 0.1)
    monkeypatch.setattr(migrate, "LOCK_RETRY_AFTER", 0.01)
    upgrade(empty_url, "0001")
    empty.execute(text(JOB))  # a transaction that lasts
    with ThreadPoolExecutor() as threads, capture_logs() as logs:
        upgrading = threads.submit(upgrade, empty_url)
        until(lambda: sum(entry["event"] == "waiting for a table's lock" for entry in logs) >= 2)
        traffic.execute(text(JOB))
        traffic.commit()
        assert not upgrading.done()
        empty.commit()
        upgrading.result()
    assert "events" in tables(empty)


def test_a_table_that_stays_locked_is_reported_and_nothing_is_half_done(
    empty_url: str, empty: Connection, traffic: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"LOCK_TIMEOUT": 0.05, "LOCK_RETRY_AFTER": 0.0, "LOCK_TRIES": 2}.items():
        monkeypatch.setattr(migrate, name, value)
    upgrade(empty_url, "0001")
    empty.execute(text(JOB))
    with pytest.raises(DatabaseUnavailable, match="a table stayed locked"):
        upgrade(empty_url)
    assert "events" not in tables(traffic)
    assert traffic.scalar(text("SELECT version_num FROM alembic_version")) == "0001"


def test_indexes_are_built_beside_the_traffic(empty_url: str, empty: Connection, traffic: Connection) -> None:
    """On a table of millions that takes minutes, and nobody could submit."""
    upgrade(empty_url, "0002a")
    empty.execute(text(JOB))
    with ThreadPoolExecutor() as threads:
        upgrading = threads.submit(upgrade, empty_url, "0002")

        def building() -> bool:
            traffic.commit()
            return bool(traffic.scalar(text(WAITING_FOR_A_LOCK), {"doing": "CREATE INDEX CONCURRENTLY%"}))

        until(building)
        traffic.execute(text(JOB))
        traffic.commit()
        assert not upgrading.done()
        empty.commit()
        upgrading.result()


def test_an_index_whose_building_was_broken_off_is_built_again(empty_url: str, empty: Connection) -> None:
    upgrade(empty_url, "0002a")
    empty.execute(text("CREATE INDEX ix_jobs_purge ON jobs (purge_at)"))
    empty.execute(text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_jobs_purge'::regclass"))
    empty.commit()
    upgrade(empty_url)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_jobs_purge'::regclass"
    assert empty.scalar(text(valid)) is True
    assert empty.scalar(text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")) == 0


def test_a_step_that_waits_for_traffic_leaves_the_next_one_impatient(empty_url: str) -> None:
    seen = list[str]()
    with _configured(empty_url, 5) as config:
        command.upgrade(config, "head")
        seen.append(config.attributes["connection"].scalar(text("SHOW lock_timeout")))
    assert seen == ["2s"]
