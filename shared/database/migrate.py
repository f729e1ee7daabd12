"""Bringing a database to a version of the schema: `python -m shared.database upgrade`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from shared.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

# Behind a statement that waits for a table's lock everybody else waits, too: it gives up soon, lets them pass, and tries again.
LOCK_TIMEOUT = 2.0  # seconds
LOCK_RETRY_AFTER = 1.0
LOCK_TRIES = 300
_LOCK_NOT_AVAILABLE = "55P03"

# Without keepalive a connection whose other end has silently gone is waited for for hours.
_CONNECTION = {"connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

# Two migrations at once would trip over each other: the second waits for the first. "schema" in ASCII.
_ADVISORY_LOCK = 0x736368656D61


def upgrade(url: str, revision: str = "head", *, patience: float = 60.0) -> None:
    """Waits up to `patience` seconds for the server; raises DatabaseUnavailable after that."""
    _migrate(url, lambda config: command.upgrade(config, revision), patience)


def downgrade(url: str, revision: str, *, patience: float = 60.0) -> None:
    """Undoes the steps after `revision` ("base": all of them), and with them what they hold."""
    _migrate(url, lambda config: command.downgrade(config, revision), patience)


def _migrate(url: str, step: Callable[[Config], None], patience: float) -> None:
    for tries_left in reversed(range(LOCK_TRIES)):
        try:
            with _configured(url, patience) as config:
                step(config)
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
                raise
            if not tries_left:
                raise DatabaseUnavailable(
                    f"a table stayed locked: {str(error.orig).strip()}. End the transaction that holds it, and try again."
                ) from error
            log.warning("waiting for a table's lock", error=str(error.orig).partition("\n")[0])
            time.sleep(LOCK_RETRY_AFTER)
        else:
            return


@contextmanager
def _configured(url: str, patience: float) -> Iterator[Config]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _connected(url, patience) as connection:
        _wait_for_the_others(connection)
        connection.execute(text(f"SET lock_timeout = {int(LOCK_TIMEOUT * 1000)}"))
        connection.commit()
        config.attributes["connection"] = connection
        yield config
        connection.commit()


def _wait_for_the_others(connection: Connection) -> None:
    """Asks again and again: who waits in a statement has a snapshot, and building an index waits for that to go."""
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK}):
        connection.commit()
        time.sleep(0.2)
    connection.commit()  # a session's lock: it outlives the transaction, and goes with the connection


@contextmanager
def _connected(url: str, patience: float) -> Iterator[Connection]:
    driver_url = make_url(url).set(drivername="postgresql+psycopg2")
    engine = create_engine(driver_url, poolclass=NullPool, connect_args=_CONNECTION)
    deadline = time.monotonic() + patience
    while True:
        try:
            connection = engine.connect()
        except OperationalError as error:
            reason = str(error.orig).strip()
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"the database did not answer within {patience:.0f} s: {reason}. "
                    "Check DATABASE_URL and that the server runs."
                ) from error
            log.warning("waiting for the database", error=reason, seconds_left=round(deadline - time.monotonic()))
            time.sleep(0.5)
        else:
            break
    with connection:
        yield connection
