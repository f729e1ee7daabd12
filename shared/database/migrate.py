"""Bringing a database to a version of the schema: `python -m shared.database upgrade`."""

import time
from collections.abc import Iterator
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

# Two migrations at once would trip over each other: the second waits for the first. "schema" in ASCII.
_ADVISORY_LOCK = 0x736368656D61


def upgrade(url: str, revision: str = "head", *, patience: float = 60.0) -> None:
    """Waits up to `patience` seconds for the server; raises DatabaseUnavailable after that."""
    with _configured(url, patience) as config:
        command.upgrade(config, revision)


def downgrade(url: str, revision: str, *, patience: float = 60.0) -> None:
    """Undoes the steps after `revision` ("base": all of them), and with them what they hold."""
    with _configured(url, patience) as config:
        command.downgrade(config, revision)


@contextmanager
def _configured(url: str, patience: float) -> Iterator[Config]:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _connected(url, patience) as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ADVISORY_LOCK})
        connection.commit()  # a session's lock: it outlives the transaction, and goes with the connection
        config.attributes["connection"] = connection
        yield config
        connection.commit()


@contextmanager
def _connected(url: str, patience: float) -> Iterator[Connection]:
    driver_url = make_url(url).set(drivername="postgresql+psycopg2")
    engine = create_engine(driver_url, poolclass=NullPool, connect_args={"connect_timeout": 5})
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
