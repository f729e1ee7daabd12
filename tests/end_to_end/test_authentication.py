"""The system where everybody is asked who they are."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.client import AsyncClient, ProblemError
from deploy.local.system import LocalSystem
from tests.end_to_end.client import Client
from tests.end_to_end.conftest import Start
from tests.fuzz.run import SYSTEM, fuzz

# Fewer than where nobody is asked: what is looked for here is what a key changes.
BOUNDED = ("--max-examples", "3", "--seed", "1", "--max-time", "30")


@pytest.fixture(scope="module")
async def system(start: Start) -> AsyncIterator[tuple[LocalSystem, Client]]:
    async with start(env={**SYSTEM, "ALLOW_UNAUTHENTICATED": "false"}) as running:
        yield running


async def keys(system: LocalSystem, *arguments: str) -> str:
    """-> what `torchrelay keys` prints."""
    command = (sys.executable, "-m", "deploy.command", "keys", *arguments)
    process = await asyncio.create_subprocess_exec(*command, env=system.environment, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().strip()


async def refused(client: AsyncClient) -> ProblemError | None:
    try:
        await client.models()
    except ProblemError as refusal:
        return refusal
    return None


async def test_a_key_is_made_used_and_revoked(system: tuple[LocalSystem, Client]) -> None:
    made = json.loads(await keys(system[0], "create", "--owner", "ann", "--json"))
    async with AsyncClient(system[0].url, made["key"], patience=0) as client:
        assert await client.run("echo", {"value": 7}) == {"value": 7}
        await keys(system[0], "revoke", made["id"])
        revoked = time.monotonic()

        async with asyncio.timeout(30):
            while (refusal := await refused(client)) is None:
                assert time.monotonic() < revoked + 1 or await refused(client)

    assert (refusal.status, refusal.code) == (401, "invalid_token")


async def test_the_page_opens_without_a_key_and_jobs_do_not(system: tuple[LocalSystem, Client]) -> None:
    http = system[1].http
    for path in ("/", "/docs", "/openapi.json", "/readyz"):
        assert (await http.get(path)).status_code == 200, path
    for path in ("/v1/jobs", "/v1/models", "/v1/workers", "/metrics"):
        assert (await http.get(path)).status_code == 401, path


@pytest.mark.timeout(300)
async def test_the_api_does_what_its_document_says_to_those_with_a_key(
    system: tuple[LocalSystem, Client], tmp_path: Path
) -> None:
    every = [part for scope in ("submit", "read", "admin") for part in ("--scope", scope)]
    key = await keys(system[0], "create", "--owner", "fuzzer", *every)

    done = await asyncio.to_thread(fuzz, system[0].url, tmp_path, BOUNDED, key=key)

    assert done.returncode == 0, done.stdout[-8000:]
    assert (await system[1].http.get("/readyz")).status_code == 200
