"""Settling: it goes on until the rows have spoken (rule 7), and only the fence may refuse (rule 1)."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from ml_service.worker import settler as settler_module
from ml_service.worker.attempts import Attempt
from shared.database import settlement as settlement_module
from shared.database.entries import Ending
from shared.database.settlement import Settlement
from shared.errors import DatabaseSlow
from shared.states import JobState
from tests.integration.worker.bench import Bench


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settler_module, "RETRY_FIRST", 0.001)
    monkeypatch.setattr(settler_module, "RETRY_MOST", 0.002)


def succeeded(attempt: Attempt, result: str = "1") -> tuple[Attempt, Settlement]:
    job_id, number = attempt.key
    return attempt, Settlement(job_id, number, Ending.SUCCEEDED, result=result)


def refusals(logs: Any) -> list[str]:
    return [entry["job_id"] for entry in logs if entry["event"].startswith("settlement refused")]


async def test_the_row_is_settled_the_message_acked_and_the_attempt_forgotten(bench: Bench) -> None:
    job_id = await bench.stage.published()
    (attempt,) = await bench.attempts(job_id)
    with capture_logs() as logs:
        await bench.settler.settle([succeeded(attempt, '{"answer": 42}')])
    row = await bench.stage.row(job_id)
    assert (row["state"], row["result"]) == ("succeeded", '{"answer": 42}')
    assert await bench.acked() == attempt.in_hand.ack_ids
    assert (len(bench.held), len(bench.desk)) == (0, 0)
    assert refusals(logs) == []


async def test_it_goes_on_until_the_database_answers(bench: Bench) -> None:
    """Rule 7: the result is not lost; nothing is acked and nothing forgotten before."""
    job_id = await bench.stage.published()
    (attempt,) = await bench.attempts(job_id)
    bench.db.away = True
    settling = asyncio.create_task(bench.settler.settle([succeeded(attempt)]))
    await bench.db.until(lambda: bench.db.asked["settle"] >= 4)
    assert await bench.acked() == set()
    assert [*bench.held] == [attempt]
    bench.db.away = False
    await asyncio.wait_for(settling, 10)
    assert await bench.stage.state(job_id) is JobState.SUCCEEDED
    assert await bench.acked() == attempt.in_hand.ack_ids


async def test_what_takes_the_database_too_long_is_settled_in_halves(bench: Bench) -> None:
    """The same statement would take as long each time, and nothing of it would ever be settled."""
    jobs = [await bench.stage.published() for _ in range(3)]
    attempts = await bench.attempts(*jobs)
    settle_in_turn = bench.db.fetch

    async def one_at_a_time(statement: Any, **values: Any) -> Any:
        if statement.name == "settle" and len(values["id"]) > 1:
            bench.db.faults["settle"] = DatabaseSlow("settle: canceling statement due to statement timeout")
        return await settle_in_turn(statement, **values)

    bench.db.fetch = one_at_a_time  # type: ignore[method-assign]  # as if each result took it half its time
    async with asyncio.timeout(10):
        await bench.settler.settle([succeeded(attempt) for attempt in attempts])
    assert [await bench.stage.state(job_id) for job_id in jobs] == [JobState.SUCCEEDED] * 3
    assert len(bench.held) == 0


async def test_one_that_takes_the_database_too_long_is_tried_again(bench: Bench) -> None:
    job_id = await bench.stage.published()
    (attempt,) = await bench.attempts(job_id)
    bench.db.faults["settle"] = DatabaseSlow("settle: canceling statement due to statement timeout")
    await bench.settler.settle([succeeded(attempt)])
    assert await bench.stage.state(job_id) is JobState.SUCCEEDED


async def test_what_was_settled_is_not_settled_again_with_what_was_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look as if it were somebody else's."""
    monkeypatch.setattr(settlement_module, "MOST_AT_ONCE", 1)
    jobs = [await bench.stage.published() for _ in range(2)]
    attempts = await bench.attempts(*jobs)
    settle_in_turn = bench.db.fetch

    async def away_for_the_second(statement: Any, **values: Any) -> Any:
        if statement.name == "settle":
            bench.db.refuse["settle"] = int(bench.db.asked["settle"] == 1)
        return await settle_in_turn(statement, **values)

    bench.db.fetch = away_for_the_second  # type: ignore[method-assign]  # one statement of several is to fail
    with capture_logs() as logs:
        await bench.settler.settle([succeeded(attempt) for attempt in attempts])
    assert [await bench.stage.state(job_id) for job_id in jobs] == [JobState.SUCCEEDED] * 2
    assert (bench.db.asked["settle"], refusals(logs)) == (3, [])


async def test_a_settlement_whose_answer_was_lost_does_no_harm(bench: Bench) -> None:
    job_id = await bench.stage.published()
    (attempt,) = await bench.attempts(job_id)
    bench.db.lose["settle"] = 1
    await bench.settler.settle([succeeded(attempt, '"once"')])
    assert (await bench.stage.row(job_id))["result"] == '"once"'
    assert await bench.acked() == attempt.in_hand.ack_ids


async def test_a_late_settlement_is_refused_and_told_of(bench: Bench) -> None:
    """Rule 1: zero rows is never silence. The newer attempt stands."""
    job_id = await bench.stage.published()
    (attempt,) = await bench.attempts(job_id)
    await bench.stage.dead(bench.incarnation.id)
    await bench.stage.requeue_orphans()
    other = await bench.stage.worker()
    await bench.stage.claim(other, job_id)
    with capture_logs() as logs:
        await bench.settler.settle([succeeded(attempt, '"late"')])
    row = await bench.stage.row(job_id)
    assert (row["state"], row["worker"], row["attempt"], row["result"]) == ("running", other, 2, None)
    assert refusals(logs) == [str(job_id)]
    assert len(bench.held) == 0


async def test_one_refusal_leaves_the_others_settled(bench: Bench) -> None:
    gone, mine = await bench.stage.published(), await bench.stage.published()
    attempts = await bench.attempts(gone, mine)
    await bench.stage.change(gone, "state = 'succeeded', worker = NULL, finished_at = now()")
    with capture_logs() as logs:
        await bench.settler.settle([succeeded(one) for one in attempts])
    assert await bench.stage.state(mine) is JobState.SUCCEEDED
    assert refusals(logs) == [str(gone)]


async def test_a_result_that_the_database_refuses_fails_its_own_job_whatever_else_goes_wrong(bench: Bench) -> None:
    bad, good = await bench.stage.published(), await bench.stage.published()
    attempts = await bench.attempts(bad, good)
    endings = [succeeded(attempts[0], "not JSON"), succeeded(attempts[1])]
    settle_in_turn = bench.db.fetch

    async def away_for_the_verdict(statement: Any, **values: Any) -> Any:
        if values.get("kind") == [Ending.FAILED] and bench.db.asked["verdict"] < 2:
            bench.db.asked["verdict"] += 1
            bench.db.refuse["settle"] = 1
        return await settle_in_turn(statement, **values)

    bench.db.fetch = away_for_the_verdict  # type: ignore[method-assign]  # one statement of several is to fail
    await bench.settler.settle(endings)
    assert (await bench.stage.state(bad), await bench.stage.state(good)) == (JobState.FAILED, JobState.SUCCEEDED)
    assert (len(bench.held), len(bench.desk)) == (0, 0)


async def test_nothing_to_settle_asks_nothing(bench: Bench) -> None:
    await bench.settler.settle([])
    assert bench.db.asked["settle"] == 0
