"""Whether the API and the workers are there."""

import asyncio
import json
import re
from http.client import HTTPConnection, HTTPException
from typing import Any

from deploy.local.ports import HOST
from shared.database.catalogue import read_workers
from shared.database.pool import Database
from shared.errors import DatabaseUnavailable

PATIENCE = 2.0  # seconds
OK = 200


async def api_ready(port: int) -> bool:
    return await asyncio.to_thread(_get, port, "/readyz") is not None


async def worker_alive(database_url: str, pid: int) -> bool:
    """Whether the worker in this process has registered. A worker's name ends with its process id.

    The database says so: the API may ask who wants to know.
    """
    try:
        db = await Database.connect(database_url, size=1, patience=PATIENCE, application="torchrelay-probe")
    except DatabaseUnavailable:
        return False
    try:
        workers = await read_workers(db)
    except DatabaseUnavailable:
        return False
    finally:
        await db.close()
    return any(worker.alive and re.search(rf"\b{pid}$", worker.name) for worker in workers)


def _get(port: int, path: str) -> Any:
    """The JSON of a 200, otherwise None."""
    connection = HTTPConnection(HOST, port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return json.load(response) if response.status == OK else None
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
