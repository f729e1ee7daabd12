"""The checker sees what it is for: each damage to a row, or to what a client was told, is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from tests.chaos.checker import Verdict, check
from tests.chaos.ledger import Ledger, Order, order
from tests.chaos.truth import Truth

WORKER = uuid4()


class Rows:
    """Stands for the database."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.alive: list[dict[str, Any]] = []

    async def fetch(self, sql: str, *_: Any) -> list[dict[str, Any]]:
        if "FROM jobs" in sql:
            return self.jobs
        return self.events if "FROM events" in sql else self.alive


def trail(*moves: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"seq": seq, "state": state, "attempt": attempt} for seq, (state, attempt) in enumerate(moves, start=1)]


def row_of(one: Order) -> dict[str, Any]:
    """A job that went well, and the order that knows of it."""
    one.job_id = uuid4()
    row = {
        "id": one.job_id,
        "owner": "local",
        "state": "succeeded",
        "input": one.submission["input"],
        "result": one.result,
        "result_key": None,
        "result_sha256": None,
        "error": None,
        "history": [],
        "last_seq": 3,
        "trail": trail(("queued", 0), ("running", 1), ("succeeded", 1)),
        "attempt": 1,
        "charged": 0,
        "max_attempts": one.max_attempts,
        "worker": None,
        "idempotency_key": one.key,
        "batch_id": None,
        "finished_at": "now",
    }
    one.told = {name: row[name] for name in ("state", "attempt", "result")}
    return row


class Case:
    """One order, its row, and all else there is."""

    def __init__(self) -> None:
        self.rows, self.ledger, self.order = Rows(), Ledger(), order()
        self.ledger.enter(self.order)
        self.row = row_of(self.order)
        self.rows.jobs.append(self.row)

    async def verdict(self) -> Verdict:
        return await check(cast("Truth", self.rows), self.ledger, Path("/nonexistent"))

    def again(self) -> None:
        self.rows.jobs.append({**self.row, "id": uuid4()})

    def other_id(self) -> None:
        self.ledger.answered(self.order, str(uuid4()))

    def torn_batch(self) -> None:
        other = order()
        other.key = self.order.key
        self.ledger.enter(other)


@pytest.fixture
def case() -> Case:
    return Case()


async def test_what_went_well_is_found_to_be_well(case: Case) -> None:
    verdict = await case.verdict()
    assert verdict.kept, str(verdict)


LOST: dict[str, Callable[[Case], object]] = {
    "no row": lambda case: case.rows.jobs.clear(),
    "another row": lambda case: case.row.update(id=UUID(int=1)),
    "no end": lambda case: case.row.update(
        state="queued", result=None, trail=trail(("queued", 0)), last_seq=1, attempt=0
    ),
}
DOUBLED: dict[str, Callable[[Case], object]] = {
    "stored twice": Case.again,
    "two ids for one key": Case.other_id,
    "nobody ordered it": lambda case: case.ledger.orders.clear(),
}
WRONG: dict[str, Callable[[Case], object]] = {
    "another's result": lambda case: case.row.update(result={"value": {"nonce": "other"}}),
    "a blob that is not there": lambda case: case.row.update(result=None, result_key="x", result_sha256="y"),
    "no result": lambda case: case.row.update(result=None),
    "another's job": lambda case: case.row.update(owner="somebody"),
    "failed for no reason": lambda case: case.row.update(
        state="failed",
        error={"code": "worker_lost"},
        result=None,
        trail=trail(("queued", 0), ("running", 1), ("failed", 1)),
    ),
    "a move that there is not": lambda case: case.row.update(
        trail=trail(("queued", 0), ("succeeded", 1), ("running", 1), ("succeeded", 1)), last_seq=4
    ),
    "two ends of one entry": lambda case: case.row.update(
        trail=trail(("queued", 0), ("running", 1), ("succeeded", 1), ("succeeded", 1)), last_seq=4
    ),
    "an attempt twice": lambda case: case.row.update(
        trail=trail(("queued", 0), ("running", 1), ("queued", 1), ("running", 1), ("succeeded", 1)), last_seq=5
    ),
    "a hole in the events": lambda case: case.row.update(last_seq=4),
    "over its budget": lambda case: case.row.update(charged=26),
    "history out of order": lambda case: case.row.update(
        history=[{"attempt": number, "code": "", "message": ""} for number in (2, 1)]
    ),
    "held by the dead": lambda case: case.row.update(
        state="running", worker=WORKER, trail=trail(("queued", 0), ("running", 1)), last_seq=2, result=None
    ),
    "told otherwise": lambda case: (case.order.told or {}).update(attempt=2),
    "an answer that may not be": lambda case: case.ledger.complain("500"),
    "half a batch": Case.torn_batch,
}


@pytest.mark.parametrize("damage", LOST)
async def test_what_is_lost_is_found(case: Case, damage: str) -> None:
    LOST[damage](case)
    assert (await case.verdict()).lost


@pytest.mark.parametrize("damage", DOUBLED)
async def test_what_is_doubled_is_found(case: Case, damage: str) -> None:
    DOUBLED[damage](case)
    assert (await case.verdict()).doubled


@pytest.mark.parametrize("damage", WRONG)
async def test_what_is_wrong_is_found(case: Case, damage: str) -> None:
    WRONG[damage](case)
    assert (await case.verdict()).wrong
