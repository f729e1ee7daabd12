"""An API that asks who it is, and whoever it needs to be asked by."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from api_service.caller import Scope
from api_service.server import Server
from api_service.settings import ApiSettings
from shared.database.keys import create_key
from shared.database.pool import Database
from tests.integration.api.conftest import serving

SUBMISSION = {"model": "reverse", "input": {"text": "abc"}}


def asking(**settings: Any) -> ApiSettings:
    return ApiSettings(
        **{
            "api_port": 0,
            "shutdown_grace": 2,
            "catalogue_refresh": 0.05,
            "allow_unauthenticated": False,
            "blob_url": "memory://keys",
            **settings,
        }
    )


class Guarded:
    """`async with guarded.by("ann", "read") as client:` asks with a new key of that owner, for these scopes."""

    def __init__(self, db: Database, one: Server) -> None:
        self.db = db
        self.url = one.url

    @asynccontextmanager
    async def by(self, owner: str | None, *scopes: str, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """owner None: nobody, without credentials. scopes: all but `admin`, if none is named."""
        if owner is not None:
            key = (await create_key(self.db, owner, scopes or (Scope.SUBMIT, Scope.READ), "")).text
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20) as client:
            yield client


@asynccontextmanager
async def guarding(database_url: str, db: Database, **settings: Any) -> AsyncIterator[Guarded]:
    async with serving(database_url, asking(**settings)) as one:
        yield Guarded(db, one)


async def submitted(client: httpx.AsyncClient, **headers: str) -> str:
    """-> the id of a new job."""
    answer = await client.post("/v1/jobs", json=SUBMISSION, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])
