"""Running a batch in a real child process (rules 8, 9 and 10): the start, the end, and everything that ends it early."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ml_service.child import memory as memory_module
from ml_service.child.family import resident
from ml_service.child.messages import Progress, Said
from ml_service.worker import large_results as large_results_module
from ml_service.worker import runner as runner_module
from ml_service.worker.attempts import Attempt, Batch
from ml_service.worker.keeper import ChildKeeper, ChildSettings
from ml_service.worker.settler import Settler
from shared.blob_keys import OfAttempt, parse_key
from shared.database.entries import FREE_LOSSES
from shared.database.moves import cancel_job
from shared.settings import BlobSettings
from shared.states import JobState
from tests.contract.database.stage import OWNER
from tests.integration.worker.bench import INLINE_LIMIT, Bench
from tests.integration.worker.hand_child import HandKeeper
from tests.unit.ml_service.child.conftest import animal
from tests.unit.ml_service.child.test_process import ended


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "RETRY_AFTER", 0.001)
    monkeypatch.setattr(large_results_module, "RETRY_FIRST", 0.001)
    monkeypatch.setattr(large_results_module, "RETRY_MOST", 0.002)


def act(do: str, text: str = "", seconds: float = 0.0) -> str:
    return json.dumps({"do": do, "text": text, "seconds": seconds})


async def run(bench: Bench, batch: Batch, keeper: ChildKeeper) -> bool:
    """Until it is settled. -> whether the child computed."""
    async with asyncio.timeout(30):
        computed = await bench.runner.run(batch, keeper)
        await bench.runner.finish_settling()
    return computed


def ids(batch: Batch) -> list[UUID]:
    return [attempt.claimed.id for attempt in batch.attempts]


async def rows(bench: Bench, job_ids: list[UUID]) -> list[Any]:
    return [await bench.stage.row(job_id) for job_id in job_ids]


async def states(bench: Bench, job_ids: list[UUID]) -> list[str]:
    return [row["state"] for row in await rows(bench, job_ids)]


def error_code(row: Any) -> str:
    return str(json.loads(row["error"])["code"])


def end_codes(row: Any) -> list[str]:
    """Of the attempts that ended badly."""
    return [one["code"] for one in json.loads(row["history"])]


class Listener:
    """Hears the progress that a model reports."""

    def __init__(self, settler: Settler, monkeypatch: pytest.MonkeyPatch) -> None:
        self._heard = asyncio.Event()
        self.said: list[tuple[Attempt, Said]] = []
        monkeypatch.setattr(settler.events, "note", self._note)

    async def hears(self, count: int = 1) -> None:
        async with asyncio.timeout(30):
            while len(self.said) < count:
                self._heard.clear()
                await self._heard.wait()

    def _note(self, attempt: Attempt, said: Said) -> None:
        self.said.append((attempt, said))
        self._heard.set()


@pytest.fixture
def listener(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Listener:
    return Listener(bench.settler, monkeypatch)


@asynccontextmanager
async def running(
    bench: Bench, batch: Batch, keeper: ChildKeeper, listener: Listener, busy: int = 1
) -> AsyncIterator["asyncio.Task[bool]"]:
    """While `busy` items are being computed."""
    task = asyncio.create_task(run(bench, batch, keeper))
    await listener.hears(busy)
    yield task
    async with asyncio.timeout(30):
        await task


async def cancel(bench: Bench, batch: Batch, *attempts: Attempt) -> None:
    """As a client does it, and as the worker learns of it."""
    for attempt in attempts:
        await cancel_job(bench.stage.db, OWNER, attempt.claimed.id)
        attempt.cancelled = True
    batch.stop_asked.set()


async def test_every_item_gets_its_own_outcome(bench: Bench, actor: ChildKeeper) -> None:
    """Rule 10: one bad input fails alone; each row gets the result for its own input."""
    batch = await bench.batch([act("echo", "one"), act("refuse", "big"), act("echo", "two"), act("postpone")])
    jobs, messages = ids(batch), {ack for attempt in batch.attempts for ack in attempt.in_hand.ack_ids}
    assert await run(bench, batch, actor)
    one, refused, two, postponed = await rows(bench, jobs)
    assert [json.loads(row["result"])["text"] for row in (one, two)] == ["one", "two"]
    assert (refused["state"], error_code(refused), refused["charged"]) == ("failed", "invalid_input", 0)
    assert (postponed["state"], postponed["charged"], postponed["alone"]) == ("queued", 1, False)
    assert await bench.acked() == messages
    assert (len(bench.held), len(bench.desk)) == (0, 0)


async def test_the_start_is_noted_before_the_child_works(bench: Bench, actor: ChildKeeper, listener: Listener) -> None:
    """Rule 9: started_at, and with it the execution_timeout, begins when the child is given the batch."""
    batch = await bench.batch([act("hang")])
    (job_id,) = ids(batch)
    assert (await bench.stage.row(job_id))["started_at"] is None
    async with running(bench, batch, actor, listener):
        assert (await bench.stage.row(job_id))["started_at"] is not None
        await cancel(bench, batch, *batch.attempts)


async def test_a_job_found_cancelled_at_its_start_is_never_sent(bench: Bench, actor: ChildKeeper) -> None:
    """Rule 8. Were it sent, it would take the process with it."""
    batch = await bench.batch([act("die"), act("echo", "neighbour")])
    jobs = ids(batch)
    await cancel_job(bench.stage.db, OWNER, jobs[0])
    assert await run(bench, batch, actor)
    cancelled, neighbour = await rows(bench, jobs)
    assert (cancelled["state"], cancelled["started_at"], cancelled["charged"]) == ("cancelled", None, 0)
    assert neighbour["state"] == "succeeded"
    assert len(bench.held) == 0


async def test_a_batch_of_which_nothing_is_left_at_the_start_is_not_sent(bench: Bench) -> None:
    keeper = HandKeeper()
    batch = await bench.batch([act("die")])
    (job_id,) = ids(batch)
    await cancel_job(bench.stage.db, OWNER, job_id)
    assert not await run(bench, batch, keeper)
    assert keeper.hand_child.sent == []
    assert await bench.stage.state(job_id) is JobState.CANCELLED


async def test_what_a_newer_attempt_holds_is_not_sent(bench: Bench, actor: ChildKeeper) -> None:
    """Rule 9: zero rows, not sent. Its message is acked: the newer entry had one of its own."""
    batch = await bench.batch([act("die"), act("echo")])
    gone, mine = batch.attempts
    await bench.stage.change(gone.claimed.id, "attempt = attempt + 1")
    assert await run(bench, batch, actor)
    rows_now = await rows(bench, [gone.claimed.id, mine.claimed.id])
    assert [(row["state"], row["attempt"]) for row in rows_now] == [("running", 2), ("succeeded", 1)]
    assert gone.in_hand.ack_ids < await bench.acked()
    assert (len(bench.held), len(bench.desk)) == (0, 0)


async def test_what_an_earlier_life_claimed_is_not_sent_and_not_acked(bench: Bench) -> None:
    """Rule 6: the broker delivers it again, should the new entry's message be lost."""
    keeper = HandKeeper()
    batch = await bench.batch([act("die")])
    (attempt,) = batch.attempts
    await bench.stage.dead(bench.incarnation.id)
    await bench.stage.requeue_orphans()
    await bench.incarnation.beat()
    assert not await run(bench, batch, keeper)
    assert keeper.hand_child.sent == []
    assert await bench.acked() == set()
    assert (len(bench.held), len(bench.desk)) == (0, 0)
    assert (await bench.stage.row(attempt.claimed.id))["state"] == "queued"


async def test_the_start_is_tried_until_the_database_answers(bench: Bench) -> None:
    keeper = HandKeeper()
    batch = await bench.batch(['"x"'])
    jobs = ids(batch)
    bench.db.refuse["start"] = 3
    bench.db.lose["start"] = 1
    assert await run(bench, batch, keeper)
    assert keeper.hand_child.sent == [['"x"']]
    assert await states(bench, jobs) == ["succeeded"]


async def test_under_a_lease_that_is_over_the_start_waits_for_a_heartbeat(bench: Bench) -> None:
    """Rule 6: its worker may be declared dead any moment."""
    keeper = HandKeeper()
    batch = await bench.batch(['"x"'])
    jobs = ids(batch)
    await bench.stage.lease_over(bench.incarnation.id)
    starting = asyncio.create_task(run(bench, batch, keeper))
    await bench.db.until(lambda: bench.db.asked["start"] >= 3)
    assert keeper.hand_child.sent == []
    beating = asyncio.create_task(bench.incarnation.run())  # every hour, and for those who ask
    assert await starting
    beating.cancel()
    assert await states(bench, jobs) == ["succeeded"]


async def test_a_batch_of_several_that_takes_too_long_goes_back_to_run_alone(bench: Bench, actor: ChildKeeper) -> None:
    """Rule 10: nobody knows whose fault it was; nobody is charged."""
    batch = await bench.batch([act("echo"), act("hang_for_ever")], timeout=0.2)
    jobs = ids(batch)
    await run(bench, batch, actor)
    for row in await rows(bench, jobs):
        assert (row["state"], row["alone"], row["charged"]) == ("queued", True, 0)
        assert end_codes(row) == ["execution_timeout"]


async def test_the_shortest_limit_of_a_batch_counts(bench: Bench, actor: ChildKeeper) -> None:
    long, short = await bench.batch([act("hang_for_ever")]), await bench.batch([act("echo")], timeout=0.2)
    batch = Batch([*long.attempts, *short.attempts], alone=False)
    jobs = ids(batch)
    await run(bench, batch, actor)
    assert await states(bench, jobs) == ["queued", "queued"]


@pytest.mark.parametrize("alone", [True, False])
async def test_one_that_takes_too_long_by_itself_fails(bench: Bench, actor: ChildKeeper, *, alone: bool) -> None:
    """Also where it was by itself by chance (decision 0004)."""
    batch = await bench.batch([act("hang_for_ever")], alone=alone, timeout=0.2)
    jobs = ids(batch)
    await run(bench, batch, actor)
    (row,) = await rows(bench, jobs)
    assert (row["state"], error_code(row)) == ("failed", "execution_timeout")


async def test_one_that_holds_the_gil_is_stopped_at_its_limit(bench: Bench, actor: ChildKeeper) -> None:
    """It hears nothing, not even a signal that asks."""
    child = await actor.child()
    batch = await bench.batch([act("hold_the_gil", seconds=1800)], timeout=0.2)
    jobs = ids(batch)
    await run(bench, batch, actor)
    (row,) = await rows(bench, jobs)
    assert (row["state"], error_code(row), child.alive) == ("failed", "execution_timeout", False)


async def test_what_a_stopped_job_has_started_is_stopped_too(
    bench: Bench, actor: ChildKeeper, listener: Listener
) -> None:
    """Also a process in a session of its own: "stopped" means that nothing computes any more."""
    batch = await bench.batch([act("hoard_elsewhere", "1", seconds=3600)], timeout=3.0)
    jobs = ids(batch)
    async with running(bench, batch, actor, listener):
        said = listener.said[0][1].what
        assert isinstance(said, Progress)
        other = int(said.message or "")
    (row,) = await rows(bench, jobs)
    assert (row["state"], error_code(row)) == ("failed", "execution_timeout")
    assert await ended(other)


async def test_a_child_that_dies_charges_nobody_who_was_not_alone_on_purpose(bench: Bench, actor: ChildKeeper) -> None:
    """Rule 10. They run alone the next time; another child serves them."""
    dead = (await actor.child()).pid
    batch = await bench.batch([act("echo"), act("segfault")])
    jobs = ids(batch)
    await run(bench, batch, actor)
    for row in await rows(bench, jobs):
        assert (row["state"], row["alone"], row["charged"]) == ("queued", True, 0)
        assert end_codes(row) == ["worker_lost"]
    assert (await actor.child()).pid != dead


async def test_a_child_that_dies_of_a_lone_attempt_charges_it(bench: Bench, actor: ChildKeeper) -> None:
    batch = await bench.batch([act("die")], alone=True)
    (job_id,) = ids(batch)
    await run(bench, batch, actor)
    row = await bench.stage.row(job_id)
    assert (row["state"], row["alone"], row["charged"]) == ("queued", True, 1)


async def test_what_was_known_before_the_child_died_stands(bench: Bench, actor: ChildKeeper) -> None:
    """The first one raises, so each is tried by itself: its outcome has come when the second one is tried."""
    batch = await bench.batch([act("break_down"), act("die")])
    jobs = ids(batch)
    await run(bench, batch, actor)
    broken, lost = await rows(bench, jobs)
    assert (broken["state"], error_code(broken)) == ("failed", "model_error")
    assert (lost["state"], lost["alone"]) == ("queued", True)


async def test_a_cancelled_job_that_listens_stops_by_itself(
    bench: Bench, actor: ChildKeeper, listener: Listener
) -> None:
    """Rule 8: cooperatively; the child lives on."""
    bench.runner._cancel_grace = 30.0
    child = (await actor.child()).pid
    batch = await bench.batch([act("hang")])
    jobs = ids(batch)
    async with running(bench, batch, actor, listener):
        await cancel(bench, batch, *batch.attempts)
    assert await states(bench, jobs) == ["cancelled"]
    assert (await actor.child()).pid == child


async def test_a_cancelled_job_that_does_not_listen_is_killed_after_the_grace_period(
    bench: Bench, actor: ChildKeeper, listener: Listener
) -> None:
    """Rule 8: `cancelling` lasts until the work has really stopped."""
    child = await actor.child()
    batch = await bench.batch([act("hang_for_ever")], alone=True)
    jobs = ids(batch)
    async with running(bench, batch, actor, listener):
        await cancel(bench, batch, *batch.attempts)
        assert await states(bench, jobs) == ["cancelling"]
    (row,) = await rows(bench, jobs)
    assert (row["state"], row["charged"]) == ("cancelled", 0)
    assert not child.alive


async def test_neighbours_of_a_cancelled_job_finish(bench: Bench, actor: ChildKeeper, listener: Listener) -> None:
    """Rule 8: in a batch it waits for the others, and their work is not thrown away."""
    bench.runner._batch_grace = 30.0
    batch = await bench.batch([act("hang"), act("echo", "neighbour")])
    jobs = ids(batch)
    async with running(bench, batch, actor, listener):
        await cancel(bench, batch, batch.attempts[0])
    assert await states(bench, jobs) == ["cancelled", "succeeded"]


async def test_neighbours_killed_with_a_cancelled_job_are_not_charged(
    bench: Bench, actor: ChildKeeper, listener: Listener
) -> None:
    """Rule 10: a kill on behalf of one item charges nobody."""
    batch = await bench.batch([act("hang_for_ever"), act("echo")])
    jobs = ids(batch)
    async with running(bench, batch, actor, listener):
        await cancel(bench, batch, batch.attempts[0])
    cancelled, neighbour = await rows(bench, jobs)
    assert (cancelled["state"], cancelled["charged"]) == ("cancelled", 0)
    assert (neighbour["state"], neighbour["charged"], neighbour["alone"]) == ("queued", 0, True)


async def test_one_cancelled_before_the_start_gives_the_others_no_limit(bench: Bench, actor: ChildKeeper) -> None:
    """The heartbeat has asked the batch to stop it; by then it is settled."""
    batch = await bench.batch([act("die"), act("hold_the_gil", "patient", seconds=0.5)])
    jobs = ids(batch)
    await cancel(bench, batch, batch.attempts[0])
    await run(bench, batch, actor)
    assert await states(bench, jobs) == ["cancelled", "succeeded"]


async def test_a_cancelled_job_that_was_finished_already_succeeds(bench: Bench) -> None:
    """Rule 8: the result was on its way."""
    keeper = HandKeeper()
    keeper.hand_child.free.clear()
    batch = await bench.batch(['"x"'])
    jobs = ids(batch)
    task = asyncio.create_task(run(bench, batch, keeper))
    await keeper.hand_child.got_batch.wait()
    await cancel_job(bench.stage.db, OWNER, jobs[0])
    keeper.hand_child.free.set()
    await task
    assert await states(bench, jobs) == ["succeeded"]


async def test_what_is_handed_back_is_killed_at_once_and_costs_nothing(
    bench: Bench, actor: ChildKeeper, listener: Listener
) -> None:
    """Rule 13: queued again, neither charged nor to run alone."""
    batch = await bench.batch([act("hang_for_ever"), act("echo")])
    jobs = ids(batch)
    async with running(bench, batch, actor, listener):
        batch.hand_back = True
        batch.stop_asked.set()
    for row in await rows(bench, jobs):
        assert (row["state"], row["charged"], row["alone"], end_codes(row)) == ("queued", 0, False, [])


async def test_progress_is_noted_for_the_item_that_reports_it(
    bench: Bench, actor: ChildKeeper, listener: Listener
) -> None:
    batch = await bench.batch([act("echo"), act("report")])
    reporter = batch.attempts[1]
    await run(bench, batch, actor)
    assert {attempt.claimed.id for attempt, _ in listener.said} == {reporter.claimed.id}
    assert listener.said[-1][1].what == Progress(1.0, "step 1000")


async def test_a_model_that_does_not_load_charges_a_job_only_after_some_times_in_a_row(bench: Bench) -> None:
    """Rule 9: what is lost before its start is hardly its own fault."""
    keeper = HandKeeper()
    keeper.failure = "no weights"
    batch = await bench.batch(['"x"'])
    (job_id,) = ids(batch)
    for free in range(FREE_LOSSES):
        assert not await run(bench, batch, keeper)
        row = await bench.stage.row(job_id)
        assert (row["state"], row["charged"], row["free_losses"], row["alone"]) == ("queued", 0, free + 1, False)
        assert end_codes(row) == ["model_load_failed"] * (free + 1)
        await bench.stage.change(job_id, "available_at = now()")
        batch = Batch(await bench.attempts(job_id, model="actor", version=3), alone=False)
    assert not await run(bench, batch, keeper)
    assert (await bench.stage.row(job_id))["charged"] == 1
    assert keeper.hand_child.sent == []


async def test_nothing_runs_beside_a_lone_attempt_until_it_is_settled(bench: Bench) -> None:
    """Rule 10: what happens to the worker in between must be the lone one's doing."""
    bench.db.hold["settle"] = settled = asyncio.Event()
    lone_keeper, other_keeper = HandKeeper(), HandKeeper()
    lone, other = await bench.batch(['"lone"'], alone=True), await bench.batch(['"other"'])
    assert await bench.runner.run(lone, lone_keeper)
    waiting = asyncio.create_task(run(bench, other, other_keeper))
    await bench.db.until(lambda: bench.db.asked["settle"] == 1)
    for _ in range(30):
        await asyncio.sleep(0)
    assert bench.db.asked["start"] == 1
    settled.set()
    assert await waiting
    assert other_keeper.hand_child.sent == [['"other"']]


async def test_a_lone_attempt_starts_beside_nothing(bench: Bench) -> None:
    lone_keeper, other_keeper = HandKeeper(), HandKeeper()
    other_keeper.hand_child.free.clear()
    lone, other = await bench.batch(['"lone"'], alone=True), await bench.batch(['"other"'])
    ordinary = asyncio.create_task(run(bench, other, other_keeper))
    await other_keeper.hand_child.got_batch.wait()
    waiting = asyncio.create_task(run(bench, lone, lone_keeper))
    for _ in range(30):
        await asyncio.sleep(0)
    assert lone_keeper.hand_child.sent == []
    other_keeper.hand_child.free.set()
    assert await ordinary
    assert await waiting


async def test_who_waits_for_its_model_to_load_does_not_hold_up_the_others(bench: Bench) -> None:
    loading, other_keeper = HandKeeper(), HandKeeper()
    loading.loaded.clear()
    lone, other = await bench.batch(['"lone"'], alone=True), await bench.batch(['"other"'])
    waiting = asyncio.create_task(run(bench, lone, loading))
    for _ in range(30):
        await asyncio.sleep(0)
    assert await run(bench, other, other_keeper)
    loading.loaded.set()
    assert await waiting


@pytest.mark.parametrize("alone", [True, False])
async def test_a_run_that_is_given_up_lets_the_others_in(bench: Bench, *, alone: bool) -> None:
    """A worker that hurries cancels its lanes."""
    keeper = HandKeeper()
    keeper.hand_child.free.clear()
    batch, lone = await bench.batch(['"x"'], alone=alone), await bench.batch(['"lone"'], alone=True)
    given_up = asyncio.create_task(bench.runner.run(batch, keeper))
    await keeper.hand_child.got_batch.wait()
    given_up.cancel()
    await asyncio.wait({given_up})
    assert len(bench.held) == 2  # to be handed back by whoever cancelled it
    assert await run(bench, lone, HandKeeper())


# --- results that are too large for a row


LARGE = json.dumps("x" * 2 * INLINE_LIMIT)


async def test_a_large_result_becomes_a_blob(bench: Bench) -> None:
    keeper = HandKeeper()
    batch = await bench.batch([LARGE, '"small"'])
    jobs = ids(batch)
    assert await run(bench, batch, keeper)
    large, small = await rows(bench, jobs)
    assert (large["state"], large["result"], large["result_size"]) == ("succeeded", None, len(LARGE))
    assert large["result_sha256"] == sha256(LARGE.encode()).hexdigest()
    assert parse_key(large["result_key"]) == OfAttempt(jobs[0], 1)
    assert await bench.blobs.read_all(large["result_key"]) == LARGE.encode()
    assert (small["result"], small["result_key"]) == ('"small"', None)
    assert (len(bench.held), len(bench.desk)) == (0, 0)


async def test_what_just_fits_stays_in_its_row(bench: Bench) -> None:
    fits = json.dumps("x" * (INLINE_LIMIT - 2))
    batch = await bench.batch([fits])
    jobs = ids(batch)
    await run(bench, batch, HandKeeper())
    assert (await rows(bench, jobs))[0]["result"] == fits


async def test_while_the_store_is_away_the_child_computes_on_and_small_results_are_settled(bench: Bench) -> None:
    """Rule 7: the large one is stored when the store is back; nothing is acked before."""
    keeper = HandKeeper()
    bench.blobs.away = True
    batch, next_batch = await bench.batch([LARGE, '"small"']), await bench.batch(['"next"'])
    jobs = ids(batch)
    large, small = batch.attempts
    assert await bench.runner.run(batch, keeper)
    assert await bench.runner.run(next_batch, keeper)
    await bench.blobs.until(lambda: bench.blobs.tried["create"] >= 3)
    await bench.db.until(lambda: len(bench.held) == 1)
    assert await states(bench, jobs) == ["running", "succeeded"]
    assert await bench.acked() >= small.in_hand.ack_ids
    assert not large.in_hand.ack_ids & await bench.acked()
    bench.blobs.away = False
    await bench.runner.finish_settling()
    assert await states(bench, jobs) == ["succeeded", "succeeded"]
    assert await bench.acked() > large.in_hand.ack_ids


async def test_no_more_is_computed_than_memory_has_place_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_results_module, "MOST_WAITING", len(LARGE))
    keeper = HandKeeper()
    bench.blobs.away = True
    first, second = await bench.batch([LARGE]), await bench.batch([LARGE])
    assert await bench.runner.run(first, keeper)
    waiting = asyncio.create_task(bench.runner.run(second, keeper))
    await bench.blobs.until(lambda: bench.blobs.tried["create"] >= 4)
    assert not waiting.done()
    bench.blobs.away = False
    assert await waiting
    await bench.runner.finish_settling()
    assert bench.results._waiting == 0


async def all_blobs(bench: Bench) -> set[str]:
    return {key async for keys in bench.blobs.older_than(timedelta(seconds=-60)) for key in keys}


async def test_what_the_fence_refuses_leaves_no_file(bench: Bench) -> None:
    batch = await bench.batch([LARGE])
    (job_id,) = ids(batch)
    keeper = HandKeeper()
    keeper.hand_child.free.clear()
    running_batch = asyncio.create_task(run(bench, batch, keeper))
    await keeper.hand_child.got_batch.wait()
    await bench.stage.change(job_id, "attempt = attempt + 1")
    keeper.hand_child.free.set()
    await running_batch
    assert bench.blobs.tried["create"] == 1
    assert await all_blobs(bench) == set()
    assert len(bench.held) == 0


async def test_a_settlement_whose_answer_was_lost_keeps_its_file(bench: Bench) -> None:
    """The second try is refused by the fence, for the first one was heard."""
    bench.db.lose["settle"] = 1
    batch = await bench.batch([LARGE])
    (job_id,) = ids(batch)
    await run(bench, batch, HandKeeper())
    row = await bench.stage.row(job_id)
    assert row["state"] == "succeeded"
    assert await bench.blobs.read_all(row["result_key"]) == LARGE.encode()


async def test_a_refused_result_that_cannot_be_removed_is_left_to_the_sweep(bench: Bench) -> None:
    batch = await bench.batch([LARGE])
    (job_id,) = ids(batch)
    bench.db.hold["settle"] = settled = asyncio.Event()
    await bench.stage.change(job_id, "attempt = attempt + 1")
    batch.started = True
    bench.runner.gate.try_enter()
    running_batch = asyncio.create_task(run(bench, batch, HandKeeper()))
    await bench.db.until(lambda: bench.db.asked["settle"] == 1)
    bench.blobs.away = True
    settled.set()
    await running_batch
    bench.blobs.away = False
    assert len(await all_blobs(bench)) == 1


async def test_a_child_that_died_is_replaced(bench: Bench) -> None:
    keeper = HandKeeper()
    child = keeper.hand_child
    child.dead.set()
    batch = await bench.batch(['"x"'])
    await run(bench, batch, keeper)
    assert keeper.replaced == [child]


@pytest.fixture
async def frugal(tmp_path: Path, actor: ChildKeeper, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChildKeeper]:
    """May hold 64 MiB more than a child that does nothing."""
    monkeypatch.setattr(memory_module, "EVERY", 0.01)
    limit = resident((await actor.child()).pid) + (64 << 20)
    settings = ChildSettings(tmp_path, "cpu", 0, BlobSettings(), memory_limit=limit)
    keeper = await ChildKeeper.spawn(animal("actor", "Actor"), settings, lambda: None)
    keeping = asyncio.create_task(keeper.run())
    yield keeper
    keeping.cancel()
    await asyncio.wait({keeping})
    await keeper.stop(0.0)


async def test_who_holds_too_much_memory_in_a_batch_charges_nobody(bench: Bench, frugal: ChildKeeper) -> None:
    """Rule 10: nobody knows whose doing it was; each runs alone next."""
    batch = await bench.batch([act("echo"), act("hoard", "128", seconds=3600)])
    jobs = ids(batch)
    await run(bench, batch, frugal)
    for row in await rows(bench, jobs):
        assert (row["state"], row["alone"], row["charged"], end_codes(row)) == ("queued", True, 0, ["out_of_memory"])


async def test_who_holds_too_much_memory_alone_is_charged_until_it_fails(bench: Bench, frugal: ChildKeeper) -> None:
    batch = await bench.batch([act("hoard", "128", seconds=3600)], alone=True)
    (job_id,) = ids(batch)
    await bench.stage.change(job_id, "max_attempts = 2")
    await run(bench, batch, frugal)
    row = await bench.stage.row(job_id)
    assert (row["state"], row["charged"]) == ("queued", 1)
    await bench.stage.change(job_id, "available_at = now()")
    again = Batch(await bench.attempts(job_id, model="actor", version=3), alone=True)
    await run(bench, again, frugal)
    row = await bench.stage.row(job_id)
    assert (row["state"], error_code(row), row["charged"]) == ("failed", "out_of_memory", 2)
    assert end_codes(row) == ["out_of_memory"] * 2
    assert "CHILD_MEMORY_LIMIT allows" in json.loads(row["error"])["message"]


async def test_a_child_is_replaced_after_so_many_jobs_without_touching_any(bench: Bench) -> None:
    keeper = HandKeeper()
    keeper._settings = ChildSettings(Path(), "cpu", 0, BlobSettings(), max_jobs=3)
    first = keeper.hand_child
    for number in range(3):
        batch = await bench.batch(['"a"', '"b"'])
        jobs = ids(batch)
        assert await run(bench, batch, keeper)
        assert await states(bench, jobs) == ["succeeded", "succeeded"]
        assert keeper.replaced == ([first] if number else [])
