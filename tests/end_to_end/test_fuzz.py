"""The running system does what its OpenAPI document says, whatever it is sent (schemathesis, all checks)."""

import asyncio
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Start
from tests.fuzz.run import SYSTEM, fuzz

# The same every time: what is found here must be found again. `make fuzz` looks further.
BOUNDED = ("--max-examples", "10", "--seed", "1", "--max-time", "45")


@pytest.mark.timeout(180)
async def test_the_api_does_what_its_document_says(start: Start, tmp_path: Path) -> None:
    async with start(env=SYSTEM) as (system, client):
        done = await asyncio.to_thread(fuzz, system.url, tmp_path, BOUNDED)

        assert done.returncode == 0, done.stdout[-8000:]
        assert (await client.http.get("/readyz")).status_code == 200
