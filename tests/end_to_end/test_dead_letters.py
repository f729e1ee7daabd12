"""What no worker can read, from a queue's topic to an operator's screen."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import environ
from typing import Any

from deploy.local.system import LocalSystem
from shared.broker.pubsub import Pubsub
from shared.settings import BrokerSettings
from tests.end_to_end.client import Client
from tests.end_to_end.conftest import Start


@asynccontextmanager
async def broker_of(system: LocalSystem) -> AsyncIterator[Pubsub]:
    project = BrokerSettings.model_fields["pubsub_project"].default
    broker = await Pubsub.connect(project, system.environment["PUBSUB_EMULATOR_HOST"], "")
    yield broker
    await broker.close()


async def arrived(client: Client, letters: int) -> list[dict[str, Any]]:
    """The dead letters, once there are so many."""
    async with asyncio.timeout(30):
        while True:
            answer = await client.http.get("/v1/dead-letters", params={"queue": "echo"})
            assert answer.status_code == 200, answer.text
            found: list[dict[str, Any]] = answer.json()["dead_letters"]
            if len(found) >= letters:
                return found
            await asyncio.sleep(0.05)


async def run(system: LocalSystem, *arguments: str) -> tuple[int, str]:
    """The command. -> exit status, stdout."""
    command = (sys.executable, "-m", "deploy.command", "dead-letters", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env={**environ, "TORCHRELAY_URL": system.url}
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_an_unreadable_message_is_seen_inspected_and_deleted(start: Start) -> None:
    """Rule 5, and that a worker which met it goes on."""
    async with start(env={"MODELS": "echo"}) as (system, client), broker_of(system) as broker:
        await broker.publish("echo", [(b'{"v": 99}', {"model": "echo"}), (b"\xff\x00", {"from": "elsewhere"})])
        assert await client.result("echo", {"value": 1}) == {"value": 1}
        letters = await arrived(client, 2)
        by_reason = {letter["reason"]: letter for letter in letters}
        (newer,) = (letter for reason, letter in by_reason.items() if "version 99" in reason)
        (garbage,) = (letter for reason, letter in by_reason.items() if "not JSON" in reason)

        shown = (await client.http.get(f"/v1/dead-letters/{garbage['id']}")).json()
        assert (shown["data"], shown["encoding"], shown["attributes"]["from"]) == ("/wA=", "base64", "elsewhere")
        status, out = await run(system, "inspect", newer["id"], "--json")
        assert (status, json.loads(out)["data"]) == (0, '{"v": 99}')

        assert (await client.http.post(f"/v1/dead-letters/{newer['id']}/redrive")).status_code == 409
        assert (await client.http.delete(f"/v1/dead-letters/{garbage['id']}")).status_code == 204
        assert (await run(system, "delete", newer["id"]))[0] == 0
        assert await arrived(client, 0) == []
