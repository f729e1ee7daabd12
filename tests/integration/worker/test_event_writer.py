"""What models say is written in order, before the end of their jobs, and never in its way."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from ml_service.child.messages import Log, Metrics, Progress, Said, Saying
from ml_service.worker import event_writer, settler
from ml_service.worker.attempts import Attempt
from ml_service.worker.event_writer import MOST_WAITING
from shared.database.entries import Ending
from shared.database.moves import retry_job
from shared.database.settlement import Settlement
from tests.contract.database.stage import OWNER
from tests.integration.worker.bench import Bench


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_writer, "EVERY", 0.001)
    monkeypatch.setattr(settler, "RETRY_FIRST", 0.001)
    monkeypatch.setattr(settler, "RETRY_MOST", 0.002)


def said(what: Saying, at: float | None = None) -> Said:
    return Said(1, None, time.monotonic() if at is None else at, what)


def line(text: object) -> Said:
    return said(Log("info", str(text)))


def ending(attempt: Attempt, kind: Ending = Ending.SUCCEEDED) -> tuple[Attempt, Settlement]:
    return attempt, Settlement(*attempt.key, kind, result="1" if kind is Ending.SUCCEEDED else None)


@asynccontextmanager
async def writing(bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(bench.events.run())
    yield
    task.cancel()
    await asyncio.wait({task})


async def rows(bench: Bench, job_id: UUID) -> list[Any]:
    found: list[Any] = await bench.stage.connection.fetch("SELECT * FROM events WHERE job_id = $1 ORDER BY seq", job_id)
    return found


async def messages(bench: Bench, job_id: UUID) -> list[str]:
    return [json.loads(row["data"]).get("message") for row in await rows(bench, job_id)]


async def one(bench: Bench) -> tuple[UUID, Attempt]:
    job_id = await bench.stage.published()
    (attempt,) = await bench.attempts(job_id)
    return job_id, attempt


async def until_written(bench: Bench, count: int) -> None:
    """So many statements have been asked for, and the last one is over."""
    await bench.db.until(lambda: bench.db.asked["write_events"] >= count)
    async with asyncio.timeout(10), bench.events._one_at_a_time:
        pass


async def test_all_that_is_said_is_one_statement_in_the_order_of_the_saying(bench: Bench) -> None:
    (first, one), (second, other) = await one_and_another(bench)
    now = time.monotonic()
    bench.events.note(one, said(Log("info", "a"), now - 3))
    bench.events.note(one, said(Progress(0.1, "early"), now - 3))
    bench.events.note(one, said(Progress(0.5, "b"), now - 2))
    bench.events.note(one, said(Metrics({"loss": 0.25}, 7), now - 1))
    bench.events.note(other, line("x"))
    async with writing(bench):
        await until_written(bench, 1)
    assert bench.db.asked["write_events"] == 1
    assert [(row["type"], json.loads(row["data"])) for row in await rows(bench, first)] == [
        ("log", {"level": "info", "message": "a"}),
        ("progress", {"fraction": 0.5, "message": "b"}),
        ("metrics", {"values": {"loss": 0.25}, "step": 7}),
    ]
    assert await messages(bench, second) == ["x"]
    row = await bench.stage.row(first)
    assert json.loads(row["progress"]) == {"fraction": 0.5, "message": "b"}
    assert row["last_seq"] == (await rows(bench, first))[-1]["seq"]


async def one_and_another(bench: Bench) -> list[tuple[UUID, Attempt]]:
    return [await one(bench), await one(bench)]


async def test_what_the_database_misses_is_written_later_and_the_latest_progress_with_it(bench: Bench) -> None:
    job_id, attempt = await one(bench)
    bench.db.refuse["write_events"] = 1
    bench.events.note(attempt, line("before"))
    bench.events.note(attempt, said(Progress(0.1, "old")))
    async with writing(bench):
        await bench.db.until(lambda: bench.db.asked["write_events"] == 1)
        bench.events.note(attempt, said(Progress(0.5, "new")))
        bench.events.note(attempt, line("after"))
        await until_written(bench, 2)
    assert await messages(bench, job_id) == ["before", "new", "after"]


async def test_older_progress_does_not_come_back_over_newer(bench: Bench) -> None:
    job_id, attempt = await one(bench)
    bench.db.hold["write_events"] = asyncio.Event()
    bench.db.lose["write_events"] = 1
    async with writing(bench):
        bench.events.note(attempt, said(Progress(0.1, "old")))
        await bench.db.until(lambda: bench.db.asked["write_events"] == 1)
        bench.events.note(attempt, said(Progress(0.5, "new")))
        bench.db.hold["write_events"].set()
        await until_written(bench, 2)
    assert json.loads((await bench.stage.row(job_id))["progress"]) == {"fraction": 0.5, "message": "new"}


async def test_while_the_database_is_away_little_is_kept_and_the_oldest_goes_first(bench: Bench) -> None:
    job_id, attempt = await one(bench)
    bench.db.away = True
    async with writing(bench):
        for number in range(10):
            for part in range(MOST_WAITING):
                bench.events.note(attempt, line(number * MOST_WAITING + part))
            bench.events.note(attempt, said(Progress(number / 10, f"progress {number}")))
            asked = bench.db.asked["write_events"]
            await until_written(bench, asked + 1)
        assert len(bench.events._unwritten[attempt].said) == MOST_WAITING
        bench.db.away = False
        while attempt in bench.events._unwritten:
            await until_written(bench, bench.db.asked["write_events"] + 1)
    told = await messages(bench, job_id)
    assert told[0] == f"{9 * MOST_WAITING:,} lines and metrics left out: the database was away"
    assert told[1:] == [*map(str, range(9 * MOST_WAITING, 10 * MOST_WAITING)), "progress 9"]


async def test_what_waits_is_written_before_the_settlement(bench: Bench) -> None:
    job_id, attempt = await one(bench)
    bench.events.note(attempt, line("the last word"))
    await bench.settler.settle([ending(attempt)])
    (row,) = await rows(bench, job_id)
    trail = json.loads((await bench.stage.row(job_id))["trail"])
    assert [move["state"] for move in trail] == ["queued", "running", "succeeded"]
    assert [move["seq"] for move in trail] == [1, 2, 4]
    assert row["seq"] == 3


async def test_a_settlement_waits_for_what_is_just_being_written(bench: Bench) -> None:
    job_id, attempt = await one(bench)
    bench.db.hold["write_events"] = asyncio.Event()
    async with writing(bench):
        bench.events.note(attempt, line("on its way"))
        await bench.db.until(lambda: bench.db.asked["write_events"] == 1)
        settling = asyncio.create_task(bench.settler.settle([ending(attempt)]))
        await asyncio.sleep(0)
        assert bench.db.asked["settle"] == 0
        bench.db.hold["write_events"].set()
        await settling
    assert await messages(bench, job_id) == ["on its way"]
    assert bench.events.refused == 0


async def test_a_success_is_not_held_up_for_progress_and_a_failure_tells_how_far_it_came(bench: Bench) -> None:
    (good, succeeded), (bad, failed) = await one_and_another(bench)
    bench.events.note(succeeded, said(Progress(1.0, "done")))
    await bench.settler.settle([ending(succeeded)])
    assert bench.db.asked["write_events"] == 0
    bench.events.note(failed, said(Progress(0.5, "half")))
    await bench.settler.settle([ending(failed, Ending.FAILED)])
    assert (await messages(bench, good), await messages(bench, bad)) == ([], ["half"])
    assert not bench.events._unwritten


async def test_events_that_cannot_be_written_lose_no_settlement(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when they fail, and not when they hang."""
    monkeypatch.setattr(event_writer, "FLUSH_PATIENCE", 0.01)
    (first, failing), (second, hanging) = await one_and_another(bench)
    bench.db.refuse["write_events"] = 1
    bench.events.note(failing, line("lost"))
    await bench.settler.settle([ending(failing)])
    bench.db.hold["write_events"] = asyncio.Event()
    bench.events.note(hanging, line("in vain"))
    await bench.settler.settle([ending(hanging)])
    assert [await bench.stage.state(job_id) for job_id in (first, second)] == ["succeeded", "succeeded"]
    assert not bench.events._unwritten


async def test_while_a_settlement_is_tried_again_its_events_are_too(bench: Bench) -> None:
    job_id, attempt = await one(bench)
    bench.events.note(attempt, line("kept"))
    bench.db.away = True
    settling = asyncio.create_task(bench.settler.settle([ending(attempt)]))
    await bench.db.until(lambda: bench.db.asked["settle"] >= 3)
    bench.db.away = False
    await asyncio.wait_for(settling, 10)
    assert await messages(bench, job_id) == ["kept"]


async def test_late_events_are_counted_told_of_and_dropped(bench: Bench) -> None:
    """Rule 1: the job belongs to a newer attempt."""
    job_id, attempt = await one(bench)
    await bench.stage.change(job_id, "attempt = attempt + 1")
    bench.events.note(attempt, line("late"))
    bench.events.note(attempt, line("too"))
    with capture_logs() as logs:
        async with writing(bench):
            await until_written(bench, 1)
    assert await rows(bench, job_id) == []
    assert bench.events.refused == 2
    assert [(one["jobs"], one["events"]) for one in logs if one["event"].startswith("events refused")] == [
        ([str(job_id)], 2)
    ]
    assert attempt not in bench.events._unwritten


async def test_a_retry_goes_on_counting(bench: Bench) -> None:
    job_id, attempt = await one(bench)
    bench.events.note(attempt, line("first attempt"))
    await bench.settler.settle([ending(attempt, Ending.FAILED)])
    await retry_job(bench.stage.db, OWNER, job_id)
    await bench.stage.change(job_id, "available_at = now()")
    (again,) = await bench.attempts(job_id)
    bench.events.note(again, line("second attempt"))
    await bench.settler.settle([ending(again)])
    trail = json.loads((await bench.stage.row(job_id))["trail"])
    seqs = [row["seq"] for row in await rows(bench, job_id)] + [move["seq"] for move in trail]
    assert sorted(seqs) == list(range(1, 9))
    assert [row["attempt"] for row in await rows(bench, job_id)] == [1, 2]
