"""One model's pipeline: when it claims, what it counts, and how its batches are made up (rules 9 and 10)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import pytest

from ml_service.model import Batching
from ml_service.worker import lane as lane_module
from ml_service.worker import room as room_module
from ml_service.worker.lane import Lane
from shared.catalogue import ModelState
from shared.database.moves import cancel_job
from shared.states import JobState
from tests.contract.database.stage import OWNER, until
from tests.hand_broker import delivery
from tests.integration.worker.bench import Bench
from tests.integration.worker.hand_child import HandKeeper

SIZE = 4  # jobs of a batch
NEVER = 3600.0  # seconds that a busy lane lets a batch fill


class Line:
    """A lane at work."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.keeper = HandKeeper(Batching(max_size=SIZE, max_wait=NEVER))
        self.on_room = asyncio.Event()
        self.lane = Lane(self.keeper, bench.claimer, bench.runner, self.on_room)
        self.jobs: list[UUID] = []

    async def deliver(self, *inputs: str, **changes: Any) -> list[UUID]:
        """Jobs with these inputs, published; their messages come in together."""
        ids = [await self.bench.stage.published(model="actor", version=3, input=one) for one in inputs]
        for job_id in ids:
            for column, value in changes.items():
                await self.bench.stage.change(job_id, f"{column} = {value}")
        self.lane.add(await self.bench.desk.take_in("stage", [delivery(one, model="actor") for one in ids]))
        self.jobs += ids
        return ids

    def knows_batches_to_be_short(self) -> None:
        self.lane._seconds.note(0.2)  # then it has two batches ahead

    async def busy(self) -> None:
        """Its child has a batch that does not end."""
        self.keeper.hand_child.free.clear()
        await self.deliver('"busy"')
        await self.keeper.hand_child.got_batch.wait()

    async def settled(self, *job_ids: UUID) -> None:
        async def all_done() -> bool:
            return all([await self.bench.stage.state(one) is JobState.SUCCEEDED for one in job_ids or self.jobs])

        await until(all_done, 20)

    async def unstarted(self, count: int) -> None:
        """Waits until so many are claimed and wait for the child."""

        async def reached() -> bool:
            return self.lane._unstarted == count and not self.bench.held.claiming

        await until(reached, 20)

    def quiet(self) -> bool:
        return self.lane._unstarted == 0 and len(self.bench.held) == 0 and len(self.bench.desk) == 0


@pytest.fixture
async def line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    monkeypatch.setattr(lane_module, "RETRY_AFTER", 0.001)
    line = Line(bench)
    running = asyncio.create_task(line.lane.run())
    yield line
    running.cancel()
    await asyncio.wait({running})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch soon lasts too long for others to wait behind it."""
    for module in (lane_module, room_module):
        monkeypatch.setattr(module, "AHEAD_BELOW", 0.05)
    monkeypatch.setattr(lane_module, "PASS_ON_EVERY", 0.01)


async def still(condition: Callable[[], bool]) -> bool:
    """Whether it still holds once everything that could move without the database has moved."""
    for _ in range(50):
        await asyncio.sleep(0)
    return condition()


async def test_an_idle_child_gets_what_there_is_at_once(line: Line) -> None:
    """However small the batch: max_wait is for a busy one."""
    await line.deliver('"first"', '"second"')
    await line.settled()
    assert line.keeper.hand_child.sent == [['"first"', '"second"']]
    await until_quiet(line)


async def test_an_idle_child_s_batch_is_started_by_its_claim(line: Line) -> None:
    """Rule 9, in one statement less; while it is busy, what is claimed ahead is started when its turn comes."""
    line.knows_batches_to_be_short()
    await line.busy()
    assert (line.bench.db.asked["claim"], line.bench.db.asked["start"]) == (1, 0)
    ids = await line.deliver(*"1234")
    await line.unstarted(SIZE)
    assert [(await line.bench.stage.row(one))["started_at"] for one in ids] == [None] * SIZE
    line.keeper.hand_child.free.set()
    await line.settled()
    assert line.bench.db.asked["start"] == 1


async def test_nothing_is_started_by_its_claim_beside_a_lone_attempt(line: Line) -> None:
    """Rule 10: of another model in the same worker."""
    await line.bench.runner.gate.enter(alone=True)
    (job_id,) = await line.deliver('"x"')
    await line.unstarted(1)
    assert (await line.bench.stage.row(job_id))["started_at"] is None
    await line.bench.runner.gate.leave(alone=True)
    await line.settled()


@pytest.mark.parametrize("change", [{"alone": "true"}, {"available_at": "now() + interval '1 h'"}])
async def test_a_claim_that_starts_nothing_keeps_nobody_from_running_alone(line: Line, change: dict[str, str]) -> None:
    await line.deliver('"x"', **change)
    await until_quiet(line)
    await asyncio.wait_for(line.bench.runner.gate.enter(alone=True), 10)


async def test_no_more_than_a_batch_is_sent_together(line: Line) -> None:
    await line.deliver(*(f"{number}" for number in range(SIZE + 1)))
    await line.settled()
    assert [len(batch) for batch in line.keeper.hand_child.sent] == [SIZE, 1]
    await until_quiet(line)


async def test_nothing_is_claimed_ahead_while_nobody_knows_how_long_a_batch_takes(line: Line) -> None:
    """Rule 5: what waits here could be running elsewhere."""
    await line.busy()
    (waiting,) = await line.deliver('"waiting"')
    assert await still(lambda: line.bench.db.asked["claim"] == 1)
    assert (line.lane.room, await line.bench.stage.state(waiting)) == (0, JobState.QUEUED)
    line.keeper.hand_child.free.set()
    await line.settled()


async def test_full_batches_are_claimed_ahead_of_a_child_that_is_quick(line: Line) -> None:
    line.knows_batches_to_be_short()
    await line.busy()
    assert line.lane.room == 2 * SIZE
    await line.deliver(*(f"{number}" for number in range(2 * SIZE + 1)))
    await line.unstarted(2 * SIZE)
    assert line.lane.room == 0
    line.keeper.hand_child.free.set()
    await line.settled()
    assert [len(batch) for batch in line.keeper.hand_child.sent] == [1, SIZE, SIZE, 1]
    await until_quiet(line)


async def test_an_idle_lane_has_room_for_a_batch_and_one_that_loads_for_none(line: Line) -> None:
    assert line.lane.room == SIZE
    line.keeper.state = ModelState.LOADING
    assert line.lane.room == 0


async def test_a_lane_waits_for_its_model(line: Line) -> None:
    line.keeper.state = ModelState.LOADING
    await line.deliver('"early"')
    assert await still(lambda: line.bench.db.asked["claim"] == 0)
    line.keeper.state = ModelState.READY
    line.lane.wake()
    await line.settled()


async def test_what_must_run_alone_is_sent_by_itself(line: Line) -> None:
    """Rule 10: the others go together."""
    first = await line.bench.stage.published(model="actor", version=3, input='"one"')
    lone = await line.bench.stage.published(model="actor", version=3, input='"lone"')
    last = await line.bench.stage.published(model="actor", version=3, input='"two"')
    await line.bench.stage.change(lone, "alone = true")
    messages = [delivery(one, model="actor") for one in (first, lone, last)]
    line.lane.add(await line.bench.desk.take_in("stage", messages))
    await line.settled(first, lone, last)
    assert [sorted(batch) for batch in line.keeper.hand_child.sent] == [['"one"', '"two"'], ['"lone"']]


async def test_what_cannot_be_claimed_takes_no_room(line: Line) -> None:
    (job_id,) = await line.deliver('"x"', available_at="now() + interval '1 h'")
    await line.bench.db.until(lambda: line.bench.db.asked["explain_unclaimed"] == 1)
    await until_quiet(line)
    assert line.lane.room == SIZE
    assert await line.bench.stage.state(job_id) is JobState.QUEUED


async def test_what_could_not_be_claimed_yet_is_claimed_later(line: Line) -> None:
    """Rule 5: the database was away; the message was kept."""
    line.bench.db.away = True
    await line.deliver('"patient"')
    await line.bench.db.until(lambda: line.bench.db.asked["claim"] >= 3)
    line.bench.db.away = False
    await line.settled()
    await until_quiet(line)


async def test_a_batch_that_runs_can_be_asked_to_stop(line: Line) -> None:
    line.knows_batches_to_be_short()
    await line.busy()
    (attempt,) = line.bench.held
    assert line.lane._running is not None
    asked = line.lane._running.stop_asked
    assert line.lane.stop([]) == []
    assert not asked.is_set()
    assert line.lane.stop([attempt]) == []
    assert asked.is_set()
    line.keeper.hand_child.free.set()
    await line.settled()


async def cancelled(line: Line, job_id: UUID) -> None:
    """Asked for, learnt of, and settled, while the batch that runs goes on."""
    await cancel_job(line.bench.stage.db, OWNER, job_id)
    taken = line.lane.stop([one for one in line.bench.held if one.claimed.id == job_id])
    assert [one.claimed.id for one in taken] == [job_id]
    await line.bench.runner.settle_stopped(taken)
    assert await line.bench.stage.state(job_id) is JobState.CANCELLED


async def test_what_waits_for_the_child_is_cancelled_without_waiting_for_it(line: Line) -> None:
    """Rule 8: no work has to stop."""
    line.knows_batches_to_be_short()
    await line.busy()
    (gone, *left) = await line.deliver(*"1234")
    await line.unstarted(SIZE)
    await cancelled(line, gone)
    assert line.lane._unstarted == SIZE - 1
    line.keeper.hand_child.free.set()
    await line.settled(line.jobs[0], *left)
    assert line.keeper.hand_child.sent == [['"busy"'], ["2", "3", "4"]]
    await until_quiet(line)


async def test_a_batch_that_is_cancelled_as_a_whole_leaves_nothing_behind(line: Line) -> None:
    line.knows_batches_to_be_short()
    await line.busy()
    (gone,) = await line.deliver("1", alone="true")
    line.lane._batcher._batching = Batching(max_size=1)
    await line.deliver("2")
    await line.unstarted(2)
    await cancelled(line, gone)
    line.keeper.hand_child.free.set()
    await line.settled(line.jobs[0], line.jobs[2])
    await until_quiet(line)
    assert line.keeper.hand_child.sent == [['"busy"'], ["2"]]


@pytest.mark.parametrize("alone", ["true", "false"])
async def test_a_job_is_cancelled_while_its_model_still_loads(line: Line, alone: str) -> None:
    """Rule 8: `cancelling` would last as long as the loading, which may be minutes."""
    line.keeper.loaded.clear()
    gone, left = await line.deliver("1", "2", alone=alone)
    await until(lambda: running(line), 20)
    await cancelled(line, gone)
    line.keeper.loaded.set()
    await line.settled(left)
    await until_quiet(line)
    assert line.keeper.hand_child.sent == [["2"]]
    assert await line.bench.stage.state(gone) is JobState.CANCELLED


async def test_a_job_is_cancelled_while_it_waits_for_a_lone_one_to_end(line: Line) -> None:
    await line.bench.runner.gate.enter(alone=True)
    gone, left = await line.deliver("1", "2")
    await until(lambda: running(line), 20)
    await cancelled(line, gone)
    await line.bench.runner.gate.leave(alone=True)
    await line.settled(left)
    await until_quiet(line)
    assert line.keeper.hand_child.sent == [["2"]]


async def running(line: Line) -> bool:
    return line.lane._running is not None


@pytest.mark.usefixtures("impatient")
async def test_what_comes_late_is_passed_on_while_a_batch_lasts(line: Line) -> None:
    """Rule 5: a pull that was still open brings it here, while another worker may be idle."""
    await line.busy()
    (late,) = await line.deliver('"late"')
    await line.bench.db.until(lambda: line.bench.db.asked["put_back"] == 1)
    await until_left_with(line, 1)
    row = await line.bench.stage.row(late)
    assert (row["state"], row["publish_no"], row["published_at"], row["attempt"]) == ("queued", 2, None, 0)
    line.keeper.hand_child.free.set()
    await line.settled(line.jobs[0])
    assert line.keeper.hand_child.sent == [['"busy"']]


async def test_what_was_claimed_ahead_is_passed_on_when_a_batch_lasts(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uncharged; and no more is asked for while it does."""
    monkeypatch.setattr(lane_module, "PASS_ON_EVERY", 0.01)
    line.knows_batches_to_be_short()
    await line.busy()
    ids = await line.deliver(*"1234")
    await line.unstarted(SIZE)
    for module in (lane_module, room_module):
        monkeypatch.setattr(module, "AHEAD_BELOW", 0.05)
    await until_left_with(line, 1)
    for job_id in ids:
        row = await line.bench.stage.row(job_id)
        assert (row["state"], row["attempt"], row["charged"], row["free_losses"]) == ("queued", 1, 0, 0)
    assert line.lane.room == 0
    line.keeper.hand_child.free.set()
    await line.settled(line.jobs[0])


@pytest.mark.usefixtures("impatient")
async def test_what_waits_for_a_model_that_loads_for_long_is_passed_on(line: Line) -> None:
    line.keeper.state = ModelState.LOADING
    line.lane.wake()
    (early,) = await line.deliver('"early"')
    await until_left_with(line, 0)
    assert (await line.bench.stage.row(early))["publish_no"] == 2


async def test_what_waits_behind_a_short_batch_stays(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passing it on would cost more than it waits here."""
    monkeypatch.setattr(lane_module, "PASS_ON_EVERY", 0.001)
    line.knows_batches_to_be_short()
    await line.busy()
    await line.deliver(*"12345")
    await line.unstarted(SIZE)
    await asyncio.sleep(0.05)  # fifty looks
    assert (line.lane._unstarted, len(line.bench.desk)) == (SIZE, SIZE + 2)
    line.keeper.hand_child.free.set()
    await line.settled()


async def test_what_has_not_started_can_be_taken_away(line: Line) -> None:
    """For a drain: it is handed back, and its room is free again."""
    line.knows_batches_to_be_short()
    await line.busy()
    room = line.lane.room
    ids = await line.deliver(*"1234")
    await line.unstarted(SIZE)
    taken = line.lane.take_unstarted()
    assert {one.claimed.id for one in taken} == {*ids}
    assert (line.lane.room, line.lane._unstarted) == (room, 0)
    line.keeper.hand_child.free.set()
    await line.settled(line.jobs[0])
    assert line.keeper.hand_child.sent == [['"busy"']]


async def test_what_has_not_been_claimed_can_be_taken_away(line: Line) -> None:
    await line.busy()
    (job_id,) = await line.deliver('"x"')
    (job,) = line.lane.take_unclaimed()
    assert job.job_id == job_id
    line.keeper.hand_child.free.set()
    await line.settled(line.jobs[0])
    assert await line.bench.stage.state(job_id) is JobState.QUEUED


async def test_a_closed_lane_claims_nothing_more(line: Line) -> None:
    """Rule 13: what comes back from a claim that could not be made is left to the broker."""
    line.lane.close()
    await line.deliver('"late"')
    assert await still(lambda: line.bench.db.asked["claim"] == 0)


async def test_a_lane_with_a_claim_under_way_is_not_free(line: Line) -> None:
    """Rule 13: else a drain would not wait for what it brings, and drop it."""
    await asyncio.wait_for(line.lane.free(), 10)
    answered = line.bench.db.hold["claim"] = asyncio.Event()
    line.keeper.hand_child.free.clear()
    await line.deliver('"x"')
    await line.bench.db.until(lambda: line.bench.db.asked["claim"] == 1)
    free = asyncio.create_task(line.lane.free())
    assert await still(lambda: not free.done())
    answered.set()
    await line.keeper.hand_child.got_batch.wait()
    assert await still(lambda: not free.done())
    line.keeper.hand_child.free.set()
    await asyncio.wait_for(free, 10)


async def test_a_lane_is_free_when_nothing_could_be_claimed(line: Line) -> None:
    await line.deliver('"x"', available_at="now() + interval '1 h'")
    await line.bench.db.until(lambda: line.bench.db.asked["explain_unclaimed"] == 1)
    await asyncio.wait_for(line.lane.free(), 10)


async def test_jobs_claimed_for_a_child_that_does_not_load_again_are_not_charged(line: Line) -> None:
    """Rule 9: the child died under the batch before; the next one does not come up."""
    line.knows_batches_to_be_short()
    await line.busy()
    ids = await line.deliver(*"1234")
    await line.unstarted(SIZE)
    line.keeper.failure = "no device"
    await line.keeper.hand_child.kill()
    await until_quiet(line)
    for job_id in ids:
        row = await line.bench.stage.row(job_id)
        assert (row["state"], row["charged"], row["free_losses"], row["alone"]) == ("queued", 0, 1, False)
    lost = await line.bench.stage.row(line.jobs[0])
    assert (lost["state"], lost["charged"], lost["alone"]) == ("queued", 0, True)


async def test_it_knows_the_newest_that_it_claimed(line: Line) -> None:
    """For rule 11: what was published long before and not claimed was forgotten."""
    older, newer = await line.deliver('"older"', '"newer"')
    published = (await line.bench.stage.row(newer))["published_at"]
    await line.settled()
    assert line.lane.newest_claimed == published
    await line.deliver('"from the past"', published_at="now() - interval '1 h'")
    await line.settled()
    assert line.lane.newest_claimed == published
    assert older != newer


async def until_left_with(line: Line, count: int) -> None:
    """Waits until so many jobs are here, the running ones among them."""

    async def left() -> bool:
        return len(line.bench.desk) == count and len(line.bench.held) == count

    await until(left, 20)


async def until_quiet(line: Line) -> None:
    async def quiet() -> bool:
        return line.quiet()

    await until(quiet, 20)
