"""What models say, from their process to a client: in order, without holes, and never too much."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ml_service.child.throttle import BURST, RATE, TAIL
from tests.end_to_end.client import Client
from tests.end_to_end.conftest import Start

ZOO = Path(__file__).parents[1] / "zoo"
CAP = 1000  # more than a million lines come to, however slowly they are said
ATTEMPTS = 10  # that say more together
LINES = 1_000_000


@pytest.fixture(scope="module")
async def client(start: Start, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    folder = tmp_path_factory.mktemp("models")
    shutil.copy(ZOO / "talker.py", folder)
    env = {"MODELS": "talker,echo", "MODELS_DIR": str(folder), "EVENTS_PER_JOB": str(CAP)}
    async with start(env=env) as (_, client):
        yield client


async def events(client: Client, job: dict[str, Any]) -> list[dict[str, Any]]:
    """All of them: a slow machine gives a job the time for more than one answer holds."""
    found: list[dict[str, Any]] = []
    while True:
        answer = (await client.http.get(job["urls"]["events"], params={"after": len(found)})).json()
        if not answer["events"]:
            break
        found += answer["events"]
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    return found


def of(found: list[dict[str, Any]], kind: str) -> list[Any]:
    return [event["data"] for event in found if event["type"] == kind]


def left_out(lines: list[str], noun: str) -> int:
    return sum(int(line.split()[0].replace(",", "")) for line in lines if line.endswith(f"{noun} left out"))


async def test_a_million_lines_become_few_events_and_all_are_accounted_for(client: Client) -> None:
    job = await client.run("talker", {"lines": LINES, "losses": 10_000})
    assert (job["state"], job["attempt"], job["result"]) == ("succeeded", 1, {"told": LINES})
    found = await events(client, job)
    lines = [data["message"] for data in of(found, "log")]
    numbers = [int(line) for line in lines if line.isdigit()]
    losses = of(found, "metrics")
    ran = datetime.fromisoformat(job["finished_at"]) - datetime.fromisoformat(job["started_at"])
    assert len(found) <= 2 * (BURST + TAIL + 1 + RATE * ran.total_seconds()) + 4
    assert numbers == sorted(numbers)
    assert numbers[-1] == LINES - 1
    assert len(numbers) + left_out(lines, "lines") == LINES
    assert len(losses) + left_out(lines, "metrics") == 10_000
    assert losses[-1] == {"values": {"loss": 0.5}, "step": 9_999}
    assert [data["state"] for data in of(found, "state")] == ["queued", "running", "succeeded"]
    assert found[-1]["type"] == "state"


async def test_a_job_that_fails_has_told_its_last_words_before(client: Client) -> None:
    job = await client.run("talker", {"lines": 100, "then_fail": True})
    found = await events(client, job)
    assert "99" in [data["message"] for data in of(found, "log")]
    assert of(found, "progress") == [{"fraction": 0.5, "message": "half of it"}]
    assert found[-1]["data"]["state"] == "failed"


async def test_beyond_what_a_job_may_have_one_event_says_so(client: Client) -> None:
    """Over its attempts: the retry counts on."""
    job = await client.run("talker", {"lines": 200, "losses": 200, "then_fail": True})
    while job["attempt"] < ATTEMPTS:
        assert (await client.http.post(job["urls"]["retry"])).status_code == 202
        job = await client.finished(job["id"])
    found = await events(client, job)
    closing = [event["seq"] for event in found if "as many events as one may have" in str(event["data"])]
    assert len(closing) == 1
    assert {event["type"] for event in found[closing[0] :]} == {"state"}
    assert len([data for data in of(found, "state") if data["state"] == "failed"]) == ATTEMPTS


async def test_a_stream_tells_of_a_job_while_it_runs(client: Client) -> None:
    job = await client.get(await client.submit("echo", {"value": 1, "seconds": 2}))
    told: list[dict[str, Any]] = []
    async with (
        asyncio.timeout(30),
        client.http.stream("GET", job["urls"]["events"], headers={"Accept": "text/event-stream"}) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line.removeprefix("data: ")))
                if told[-1]["type"] == "progress":
                    assert (await client.get(job["id"]))["state"] in {"running", "succeeded"}
    assert told == await events(client, job)
    assert told[-1]["data"]["state"] == "succeeded"
    assert of(told, "progress")
