"""Webhooks as the API's own process calls them, up to its death."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from starlette.responses import Response

from deploy.local.standin.process import StandInProcess
from shared.database.moves import cancel_job
from shared.database.pool import Database
from tests.contract.database.stage import OWNER, Stage, until
from tests.integration.webhooks.certificates import Authority
from tests.integration.webhooks.receiver import Received, receiving


@asynccontextmanager
async def api(database_url: str, standin: StandInProcess, authority: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of its own, killed at the end without warning."""
    settings = {
        "DATABASE_URL": database_url,
        "PUBSUB_EMULATOR_HOST": standin.host,
        "API_PORT": "0",
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        "SSL_CERT_FILE": str(authority),
        "LOG_LEVEL": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api_service", env={**os.environ, **settings}, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def own_stage(database_url: str) -> AsyncIterator[Stage]:
    database, connection = await Database.connect(database_url, size=2), await asyncpg.connect(database_url)
    yield Stage(database, connection)
    await database.close()
    await connection.close()


async def test_a_process_that_dies_between_telling_and_noting_tells_again(
    own_stage: Stage, database_url: str, standin: StandInProcess, authority: Authority
) -> None:
    """At least once, and under the same id: over TLS, with a certificate of one's own authority."""
    answered = asyncio.Event()

    async def after_the_kill(_: Received) -> Response:
        await answered.wait()
        return Response(status_code=204)

    async with receiving(authority.certificate("localhost"), "localhost") as receiver:
        receiver.reply = after_the_kill
        job_id = await own_stage.queued(webhook=json.dumps({"url": f"https://localhost:{receiver.port}/"}))
        await cancel_job(own_stage.db, OWNER, job_id)
        async with api(database_url, standin, authority.file):
            first = await receiver.next()
        answered.set()
        row = await own_stage.connection.fetchrow("SELECT * FROM webhook_deliveries")
        assert (row["state"], row["tries"]) == ("pending", "[]")
        assert row["leased_until"] is not None
        await own_stage.connection.execute("UPDATE webhook_deliveries SET leased_until = now()")
        async with api(database_url, standin, authority.file):
            second = await receiver.next()

            async def delivered() -> bool:
                return bool(await own_stage.connection.fetchval("SELECT state = 'delivered' FROM webhook_deliveries"))

            await until(delivered, 10)
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == str(row["id"])
    assert first.body == second.body
