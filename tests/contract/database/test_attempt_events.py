"""Events are numbered without holes, whoever else writes; fenced; and bounded."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from shared.database.attempt_events import CLOSING, AttemptEvents, write_events
from shared.database.entries import Ending
from shared.database.events import find_event_news, read_events
from shared.database.moves import cancel_job
from shared.database.pool import Database
from shared.database.settlement import Settlement, settle
from shared.events import Event, EventType, NewEvent
from shared.job import Progress
from shared.states import JobState
from tests.contract.database.stage import OWNER, Numbered, Stage

CAP = 1000


def lines(*texts: object) -> list[NewEvent]:
    return [NewEvent(EventType.LOG, {"level": "info", "message": str(text)}) for text in texts]


async def read(db: Database, job_id: UUID, after: int = 0, limit: int = 1000) -> list[Event]:
    (page,) = await read_events(db, [(OWNER, job_id, after)], limit)
    assert page is not None
    return list(page.events)


def shown(events: list[Event]) -> list[Any]:
    """Numbers, and of each its state or its message."""
    data = [json.loads(event.data) for event in events]
    return [(event.seq, one.get("state") or one.get("message")) for event, one in zip(events, data, strict=True)]


async def say(db: Database, held: Numbered, *texts: object, cap: int = CAP) -> bool:
    return bool(await write_events(db, [AttemptEvents(*held, lines(*texts))], cap))


async def test_moves_and_sayings_are_one_row_of_numbers(db: Database, stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker)
    assert await say(db, held, "a", "b")
    await cancel_job(db, OWNER, held[0])
    assert await say(db, held, "c")
    await settle(db, [Settlement(*held, Ending.STOPPED)])
    events = await read(db, held[0])
    assert shown(events) == [
        *((1, "queued"), (2, "running"), (3, "a"), (4, "b"), (5, "cancelling"), (6, "c"), (7, "cancelled"))
    ]
    assert [event.type for event in events[:3]] == [EventType.STATE, EventType.STATE, EventType.LOG]
    assert json.loads(events[1].data) == {"state": "running", "attempt": 1}
    assert [event.at for event in events] == sorted(event.at for event in events)


async def test_an_event_is_dated_when_it_was_said_by_the_databases_clock(
    db: Database, stage: Stage, worker: UUID
) -> None:
    held = await stage.running(worker)
    await write_events(db, [AttemptEvents(*held, [NewEvent(EventType.LOG, {"message": "x"}, age=60.0)])], CAP)
    age = await stage.connection.fetchval("SELECT extract(epoch FROM clock_timestamp() - at) FROM events")
    assert 60 <= age < 65


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.CANCELLING])
async def test_the_revision_follows_the_progress_only(
    state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    """A line is no visible change of the job: whoever polls it is not disturbed."""
    job_id = await stage.in_state(state, worker)
    before = (await stage.row(job_id))["revision"]
    await say(db, (job_id, 1), "a")
    assert (await stage.row(job_id))["revision"] == before
    half = AttemptEvents(job_id, 1, [NewEvent(EventType.PROGRESS, {"fraction": 0.5})], Progress(0.5))
    for _ in range(2):
        await write_events(db, [half], CAP)
        assert (await stage.row(job_id))["revision"] == before + 1


async def test_an_older_attempts_events_are_refused_and_the_others_written(
    db: Database, stage: Stage, worker: UUID
) -> None:
    """Rule 1."""
    stale, good, ended = await stage.running(worker), await stage.running(worker), await stage.running(worker)
    await stage.change(stale[0], "attempt = 2")
    await settle(db, [Settlement(*ended, Ending.SUCCEEDED, result="1")])
    said = [AttemptEvents(*one, lines("x")) for one in (stale, (stale[0], 2), good, ended)]
    assert await write_events(db, said, CAP) == {stale[0], good[0]}
    assert shown(await read(db, stale[0])) == [(1, "queued"), (2, "running"), (3, "x")]
    assert shown(await read(db, ended[0])) == [(1, "queued"), (2, "running"), (3, "succeeded")]


async def test_there_are_no_holes_however_many_write_at_once(db: Database, stage: Stage, worker: UUID) -> None:
    held = [await stage.running(worker) for _ in range(5)]

    async def talk(name: str) -> None:
        for number in range(20):
            said = [AttemptEvents(*one, lines(f"{name} {number} a", f"{name} {number} b")) for one in held]
            await write_events(db, said, CAP)

    async def cancel() -> None:
        for one in held:
            await cancel_job(db, OWNER, one[0])

    talking = asyncio.gather(*(talk(name) for name in "xyz"), cancel())
    await talking
    await settle(db, [Settlement(*one, Ending.STOPPED) for one in held])
    for job_id, _ in held:
        events = await read(db, job_id)
        assert [event.seq for event in events] == list(range(1, 3 * 20 * 2 + 4 + 1))
        assert (await stage.row(job_id))["last_seq"] == events[-1].seq
        for name in "xyz":
            of_one = [text for _, text in shown(events) if text.startswith(name)]
            assert of_one == [f"{name} {number} {part}" for number in range(20) for part in "ab"]


async def test_a_settlement_and_late_events_leave_no_hole(db: Database, stage: Stage, worker: UUID) -> None:
    """Whichever comes first."""
    for _ in range(20):
        held = await stage.running(worker)
        settled, said = await asyncio.gather(
            settle(db, [Settlement(*held, Ending.SUCCEEDED, result="1")]), say(db, held, "a", "b")
        )
        assert settled
        events = shown(await read(db, held[0]))
        assert events == [(1, "queued"), (2, "running"), *([(3, "a"), (4, "b")] if said else []), events[-1]]
        assert events[-1] == (5 if said else 3, "succeeded")


async def test_beyond_the_cap_one_event_says_so_and_the_end_still_counts(
    db: Database, stage: Stage, worker: UUID
) -> None:
    held = await stage.running(worker)
    for number in range(3):
        assert await say(db, held, *(f"{number} {part}" for part in range(3)), cap=8)
    progress = AttemptEvents(*held, [NewEvent(EventType.PROGRESS, {"fraction": 0.5})], Progress(0.5))
    assert await write_events(db, [progress], 8) == {held[0]}
    assert json.loads((await stage.row(held[0]))["progress"])["fraction"] == 0.5
    await settle(db, [Settlement(*held, Ending.SUCCEEDED, result="1")])
    events = shown(await read(db, held[0]))
    assert [text for _, text in events] == [
        *("queued", "running", "0 0", "0 1", "0 2", "1 0", "1 1", CLOSING, "succeeded")
    ]
    assert [seq for seq, _ in events] == list(range(1, 10))


@pytest.mark.parametrize("moves", [1, 2, 3])
async def test_the_closing_event_comes_once_also_where_moves_reach_the_cap_first(
    moves: int, db: Database, stage: Stage, worker: UUID
) -> None:
    held = await stage.running(worker)
    await say(db, held, *"abc", cap=2 + 3 + moves)
    for _ in range(moves):
        await settle(db, [Settlement(*held, Ending.HANDED_BACK)])
        held = await stage.run_again(worker, held[0])
    for _ in range(3):
        await say(db, held, "x", "y", cap=2 + 3 + moves)
    events = shown(await read(db, held[0]))
    assert [text for _, text in events].count(CLOSING) == 1
    assert {"x", "y"}.isdisjoint(text for _, text in events)
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    assert (await stage.row(held[0]))["last_seq"] == len(events)


async def test_odd_text_is_mended(db: Database, stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker)
    await say(db, held, "a\0b\ud800")
    assert shown(await read(db, held[0]))[-1] == (3, "a\ufffdb\ufffd")


async def test_a_great_many_are_written_in_parts(db: Database, stage: Stage, worker: UUID) -> None:
    held = [await stage.running(worker) for _ in range(30)]
    said = [AttemptEvents(*one, lines(*range(400))) for one in held]
    assert await write_events(db, said, CAP) == {job_id for job_id, _ in held}
    assert await stage.connection.fetchval("SELECT count(*) FROM events") == 12_000


async def test_events_are_read_in_pages(db: Database, stage: Stage, worker: UUID) -> None:
    held = await stage.running(worker)
    await say(db, held, *range(10))
    await settle(db, [Settlement(*held, Ending.SUCCEEDED, result="1")])
    everything = await read(db, held[0])
    (first,) = await read_events(db, [(OWNER, held[0], 0)], 5)
    (last,) = await read_events(db, [(OWNER, held[0], 5)], 8)
    (beyond,) = await read_events(db, [(OWNER, held[0], 13)], 8)
    assert first is not None
    assert last is not None
    assert beyond is not None
    assert (list(first.events), first.complete, first.ended) == (everything[:5], False, False)
    assert (list(last.events), last.complete, last.ended) == (everything[5:], True, True)
    assert (beyond.events, beyond.complete, beyond.ended) == ((), True, True)


async def test_several_are_read_at_once_each_for_its_owner(db: Database, stage: Stage, worker: UUID) -> None:
    mine, theirs = await stage.running(worker), await stage.running(worker, owner="else")
    await say(db, mine, "mine")
    wanted = [(OWNER, theirs[0], 0), (OWNER, mine[0], 2), (None, theirs[0], 1), (OWNER, mine[0], 3), (OWNER, worker, 0)]
    pages = await read_events(db, wanted, 10)
    assert [page and shown(list(page.events)) for page in pages] == [None, [(3, "mine")], [(2, "running")], [], None]


async def test_a_job_from_before_there_were_events_has_none(db: Database, stage: Stage) -> None:
    job_id = await stage.ended(JobState.CANCELLED)
    await stage.change(job_id, "trail = '[]', last_seq = 0")
    (page,) = await read_events(db, [(OWNER, job_id, 0)], 10)
    assert page is not None
    assert (page.events, page.ended) == ((), True)


async def test_news_are_newer_numbers_and_jobs_that_are_gone(db: Database, stage: Stage, worker: UUID) -> None:
    quiet, loud = await stage.running(worker), await stage.running(worker)
    gone = await stage.ended(JobState.CANCELLED)
    await say(db, loud, "x")
    await stage.connection.execute("DELETE FROM jobs WHERE id = $1", gone)
    assert set(await find_event_news(db, {quiet[0]: 2, loud[0]: 2, gone: 1})) == {loud[0], gone}
    assert not await find_event_news(db, {loud[0]: 3})
