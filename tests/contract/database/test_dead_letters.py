"""What nobody could read is kept for people to look at (rule 5), for a while, and sent on its way once it can be read."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import pytest

from shared.database.dead_letters import (
    DeadLetter,
    Redrive,
    count_dead_letters,
    delete_dead_letter,
    get_dead_letter,
    keep_dead_letter,
    list_dead_letters,
    purge_dead_letters,
    redrive_dead_letter,
)
from shared.database.outbox import lease_unpublished, stamp_published
from shared.database.pool import Database
from shared.states import JobState
from tests.contract.database.stage import Stage, new_id

NOT_QUEUED = pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])


async def kept(db: Database, queue: str = "echo", data: bytes = b"?", letter: UUID | None = None) -> UUID:
    letter = letter or new_id()
    await keep_dead_letter(db, letter, queue, data, {"model": queue}, "no JSON")
    return letter


async def ids(db: Database) -> set[UUID]:
    return {one.id for one in await list_dead_letters(db, None, 100)}


async def pages(db: Database, limit: int) -> list[list[DeadLetter]]:
    found = [await list_dead_letters(db, None, limit)]
    while found[-1]:
        last = found[-1][-1]
        found.append(await list_dead_letters(db, None, limit, (last.received_at, last.id)))
    return found[:-1]


async def test_an_unreadable_message_is_kept_with_the_reason(db: Database, stage: Stage) -> None:
    """Rule 5: byte for byte."""
    letter = new_id()
    await keep_dead_letter(db, letter, "echo", b"\x00\xff{", {"model": "echo"}, "the data is not JSON")
    (row,) = await stage.connection.fetch("SELECT *, now() - received_at < '1 min' AS recent FROM dead_letters")
    assert (row["id"], row["queue"], row["data"], row["reason"]) == (
        letter,
        "echo",
        b"\x00\xff{",
        "the data is not JSON",
    )
    assert json.loads(row["attributes"]) == {"model": "echo"}
    assert row["recent"]


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        ({"a\0": "b\0"}, {"a\ufffd": "b\ufffd"}),
        ({"half": "\ud83d", "whole": "\U0001f600"}, {"half": "\ufffd", "whole": "\U0001f600"}),
        ({"path": "C:\\u0000"}, {"path": "C:\\u0000"}),
    ],
)
async def test_no_attribute_is_too_odd_to_be_kept(
    attributes: dict[str, str], kept: dict[str, str], db: Database, stage: Stage
) -> None:
    """Rule 5: it would come back for ever."""
    await keep_dead_letter(db, new_id(), "echo", b"", attributes, "odd\0")
    row = await stage.connection.fetchrow("SELECT attributes, reason FROM dead_letters")
    assert (json.loads(row["attributes"]), row["reason"]) == (kept, "odd\ufffd")


async def test_letters_are_listed_newest_first(db: Database) -> None:
    first, other, last = [await kept(db, queue, b"123") for queue in ("echo", "digits", "echo")]
    found = await list_dead_letters(db, None, 10)
    assert [one.id for one in found] == [last, other, first]
    assert (found[1].queue, found[1].reason, found[1].size, found[1].attributes) == (
        "digits",
        "no JSON",
        3,
        {"model": "digits"},
    )
    assert [one.id for one in await list_dead_letters(db, "echo", 10)] == [last, first]
    assert await list_dead_letters(db, "nobody's", 10) == []


async def test_pages_leave_out_none_and_repeat_none(db: Database, stage: Stage) -> None:
    """Also of letters that came in the same moment, whose last one is deleted between two pages."""
    letters = [await kept(db, letter=letter) for letter in [new_id() for _ in range(7)][::-1]]
    await stage.connection.execute("UPDATE dead_letters SET received_at = date_trunc('hour', now())")
    assert [len(page) for page in await pages(db, 3)] == [3, 3, 1]
    assert [one.id for page in await pages(db, 3) for one in page] == sorted(letters, reverse=True)
    first = await list_dead_letters(db, None, 3)
    await delete_dead_letter(db, first[-1].id)
    rest = await list_dead_letters(db, None, 10, (first[-1].received_at, first[-1].id))
    assert {one.id for one in first + rest} == {*letters}


async def test_one_is_read_with_its_data(db: Database) -> None:
    letter = await kept(db, data=b"\x00\xff")
    found = await get_dead_letter(db, letter)
    assert found is not None
    assert (found[0].id, found[0].size, found[1]) == (letter, 2, b"\x00\xff")
    assert await get_dead_letter(db, new_id()) is None


async def test_one_is_deleted_once(db: Database) -> None:
    letter, other = await kept(db), await kept(db)
    assert await delete_dead_letter(db, letter)
    assert not await delete_dead_letter(db, letter)
    assert await ids(db) == {other}


async def test_letters_are_counted_by_queue(db: Database) -> None:
    assert await count_dead_letters(db) == {}
    for queue in ("echo", "digits", "echo"):
        await kept(db, queue)
    assert await count_dead_letters(db) == {"echo": 2, "digits": 1}


# --- redriving


async def test_a_job_that_still_waits_is_published_anew_and_the_letter_is_gone(db: Database, stage: Stage) -> None:
    """Rules 2 and 5: published_at and the relay's lease cleared, publish_no raised, and nothing else."""
    job_id, letter, other = await stage.published(), await kept(db), await kept(db)
    await stage.change(job_id, "publish_leased_until = now() + interval '1 min'")
    before = dict(await stage.row(job_id))
    done = await redrive_dead_letter(db, letter, job_id, 1)
    assert done is not None
    assert done.job is not None
    assert (done.job.id, done.job.state) == (job_id, JobState.QUEUED)
    assert dict(await stage.row(job_id)) == before | {
        "published_at": None,
        "publish_leased_until": None,
        "publish_no": 2,
    }
    assert [one.id for one in await lease_unpublished(db, 10)] == [job_id]
    assert await ids(db) == {other}


async def test_a_stamp_that_comes_late_does_not_undo_it(db: Database, stage: Stage) -> None:
    """Rule 2: redriven between a publication and its stamp."""
    job_id = await stage.queued()
    await redrive_dead_letter(db, await kept(db), job_id, 1)
    assert await stamp_published(db, [(job_id, 1)]) == 0
    assert (await stage.row(job_id))["published_at"] is None


@NOT_QUEUED
async def test_a_job_that_does_not_wait_and_its_letter_are_left_alone(
    state: JobState, db: Database, stage: Stage, worker: UUID
) -> None:
    job_id, letter = await stage.in_state(state, worker), await kept(db)
    before = await stage.row(job_id)
    assert await redrive_dead_letter(db, letter, job_id, before["publish_no"]) == Redrive(
        None, state, before["publish_no"]
    )
    assert await stage.row(job_id) == before
    assert await ids(db) == {letter}


@pytest.mark.parametrize("publish_no", [1, 3])
async def test_a_letter_of_another_entry_has_nothing_to_say(publish_no: int, db: Database, stage: Stage) -> None:
    """Rule 2: only when its publish_no is the row's: else a message is on its way already."""
    job_id, letter = await stage.published(), await kept(db)
    await stage.change(job_id, "publish_no = 2")
    before = await stage.row(job_id)
    assert await redrive_dead_letter(db, letter, job_id, publish_no) == Redrive(None, JobState.QUEUED, 2)
    assert await stage.row(job_id) == before
    assert await ids(db) == {letter}


async def test_a_letter_whose_job_is_gone_stays(db: Database) -> None:
    letter = await kept(db)
    assert await redrive_dead_letter(db, letter, new_id(), 1) == Redrive(None, None, None)
    assert await ids(db) == {letter}


async def test_without_its_letter_no_job_is_touched(db: Database, stage: Stage) -> None:
    job_id = await stage.published()
    before = await stage.row(job_id)
    assert await redrive_dead_letter(db, new_id(), job_id, 1) is None
    assert await stage.row(job_id) == before


async def test_of_two_who_redrive_a_letter_one_does(db: Database, stage: Stage) -> None:
    job_id, letter = await stage.published(), await kept(db)
    async with stage.holding():
        await stage.lock(job_id)
        both = [asyncio.create_task(redrive_dead_letter(db, letter, job_id, 1)) for _ in range(2)]
        await stage.until_waiting(2)
    done = [one for one in await asyncio.gather(*both) if one is not None]
    assert [one.job.id for one in done if one.job] == [job_id]
    assert len(done) == 1
    assert (await stage.row(job_id))["publish_no"] == 2


async def test_a_job_is_seen_as_it_is_once_it_is_locked(db: Database, stage: Stage) -> None:
    """It is cancelled while the letter waits for its lock."""
    job_id, letter = await stage.published(), await kept(db)
    async with stage.holding():
        await stage.change(job_id, "state = 'cancelled', finished_at = now()")
        redriving = asyncio.create_task(redrive_dead_letter(db, letter, job_id, 1))
        await stage.until_waiting()
    assert await redriving == Redrive(None, JobState.CANCELLED, 1)
    assert await ids(db) == {letter}


# --- retention


async def test_letters_past_their_retention_are_removed_oldest_first_and_a_few_at_once(
    db: Database, stage: Stage
) -> None:
    letters = [await kept(db) for _ in range(4)]
    for age, letter in zip((30, 20, 10, 0), letters, strict=True):
        await stage.connection.execute(
            "UPDATE dead_letters SET received_at = now() - $2::interval WHERE id = $1", letter, timedelta(days=age)
        )
    a_week = 7 * 24 * 3600.0
    assert await purge_dead_letters(db, a_week, 2) == 2
    assert await ids(db) == {*letters[2:]}
    assert await purge_dead_letters(db, a_week, 2) == 1
    assert await purge_dead_letters(db, a_week, 2) == 0
    assert await ids(db) == {letters[3]}


async def test_a_letter_that_somebody_is_at_is_not_waited_for(db: Database, stage: Stage) -> None:
    held, other = await kept(db), await kept(db)
    await stage.connection.execute("UPDATE dead_letters SET received_at = now() - interval '1 day'")
    async with stage.holding():
        await stage.connection.execute("SELECT FROM dead_letters WHERE id = $1 FOR UPDATE", held)
        assert await purge_dead_letters(db, 1.0, 10) == 1
        assert await ids(db) == {held}
    assert await purge_dead_letters(db, 1.0, 10) == 1
    assert other not in await ids(db)
