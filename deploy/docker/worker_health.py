"""Exits with 0 if the worker in this container lives: if the register of workers, by which all others go, says so.

A worker has no port to ask at. Its heartbeat tells more than a port would: a process that hangs, or has lost the
database, keeps its port, but not its lease. Only for containers: their host name is theirs alone, and a worker's name
begins with it.
"""

import asyncio
import platform
import sys

from shared.database.catalogue import read_workers
from shared.database.pool import Database
from shared.errors import TorchrelayError
from shared.settings import DatabaseSettings, read_settings

PATIENCE = 3.0  # seconds for the database to answer


async def alive(url: str, host: str) -> bool:
    """Whether a worker on this host has a lease. Raises DatabaseUnavailable where nobody can tell."""
    db = await Database.connect(url, size=1, patience=PATIENCE, application="torchrelay-health")
    try:
        return any(worker.alive and worker.name.rpartition(":")[0] == host for worker in await read_workers(db))
    finally:
        await db.close()


def main() -> int:
    try:
        lives = asyncio.run(alive(read_settings(DatabaseSettings).database_url, platform.node()))
    except TorchrelayError as error:
        print(error, file=sys.stderr)  # noqa: T201 - `docker inspect` shows it
        return 1
    return 0 if lives else 1


if __name__ == "__main__":
    sys.exit(main())
