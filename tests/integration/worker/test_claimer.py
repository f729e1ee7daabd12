"""Rule 5: claimed, or acked because of the row, or put back, or kept because of this worker or the database."""

import asyncio

import pytest

from ml_service.worker import claimer as claimer_module
from shared.database.entries import LOSS_DELAY, Ending
from shared.database.settlement import Settlement, settle
from shared.states import JobState
from tests.integration.worker.bench import Bench


async def test_what_is_claimed_is_held_and_its_message_kept(bench: Bench) -> None:
    job_id = await bench.stage.published(input='{"value": 7}')
    (message,) = await bench.in_hand(job_id)
    (attempt,), again = await bench.claimer.claim("echo", 1, [message])
    assert again == []
    assert (attempt.claimed.input, attempt.in_hand, attempt.worker) == ('{"value": 7}', message, bench.incarnation.id)
    assert [*bench.held] == [attempt]
    assert await bench.stage.state(job_id) is JobState.RUNNING
    assert await bench.acked() == set()


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])
async def test_a_job_that_is_held_or_has_ended_is_acked(bench: Bench, state: JobState) -> None:
    job_id = await bench.stage.in_state(state, await bench.stage.worker())
    jobs = await bench.in_hand(job_id)
    assert await bench.claimer.claim("echo", 1, jobs) == ([], [])
    assert await bench.acked() == jobs[0].ack_ids
    assert len(bench.desk) == 0


async def test_a_job_in_its_back_off_is_left_alone_and_its_old_message_acked(bench: Bench) -> None:
    """The relay publishes it when it is due."""
    job_id, attempt = await bench.stage.running(await bench.stage.worker())
    jobs = await bench.in_hand(job_id)
    await settle(bench.stage.db, [Settlement(job_id, attempt, Ending.RETRYABLE)])
    before = await bench.stage.row(job_id)
    assert await bench.claimer.claim("echo", 1, jobs) == ([], [])
    assert await bench.stage.row(job_id) == before
    assert await bench.acked() == jobs[0].ack_ids


async def test_a_job_that_is_not_due_any_more_is_put_back_and_acked(bench: Bench) -> None:
    """It was published when it was due: the database's clock was set back, or a slower server has taken over. Nobody
    would publish it again for long: its row says that it was.
    """
    job_id = await bench.stage.published()
    await bench.stage.change(job_id, "available_at = now() + interval '1 hour'")
    jobs = await bench.in_hand(job_id)
    assert await bench.claimer.claim("echo", 1, jobs) == ([], [])
    row = await bench.stage.row(job_id)
    assert (row["state"], row["publish_no"], row["published_at"]) == ("queued", 2, None)
    assert await bench.stage.until(job_id, "available_at") <= LOSS_DELAY
    assert await bench.acked() == jobs[0].ack_ids


async def test_a_job_that_is_not_served_here_is_put_back_and_acked(bench: Bench) -> None:
    job_id = await bench.stage.published(version=2)
    jobs = await bench.in_hand(job_id)
    assert await bench.claimer.claim("echo", 1, jobs) == ([], [])
    row = await bench.stage.row(job_id)
    assert (row["state"], row["publish_no"], row["published_at"], row["charged"]) == ("queued", 2, None, 0)
    assert 1 < await bench.stage.until(job_id, "available_at") <= 2
    assert await bench.acked() == jobs[0].ack_ids


async def test_only_the_entry_that_the_message_means_is_put_back(bench: Bench) -> None:
    """Rule 2: a message from the past must not delay a newer entry."""
    job_id = await bench.stage.published(version=2)
    await bench.stage.change(job_id, "publish_no = 5")
    jobs = await bench.in_hand(job_id, publish_no=4)
    await bench.claimer.claim("echo", 1, jobs)
    row = await bench.stage.row(job_id)
    assert row["publish_no"] == 5
    assert row["published_at"] is not None
    assert await bench.acked() == jobs[0].ack_ids


async def test_putting_back_goes_on_until_the_database_answers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claimer_module, "RETRY_AFTER", 0.0)
    job_id = await bench.stage.published(version=2)
    jobs = await bench.in_hand(job_id)
    bench.db.refuse["put_back"] = 3
    await bench.claimer.put_back(jobs)
    assert (await bench.stage.row(job_id))["publish_no"] == 2
    assert await bench.acked() == jobs[0].ack_ids


async def test_under_a_lease_that_is_over_the_message_is_kept_and_claimed_after_a_heartbeat(bench: Bench) -> None:
    await bench.stage.lease_over(bench.incarnation.id)
    job_id = await bench.stage.published()
    jobs = await bench.in_hand(job_id)
    assert await bench.claimer.claim("echo", 1, jobs) == ([], jobs)
    assert await bench.acked() == set()
    assert len(bench.desk) == 1
    heartbeat = asyncio.create_task(bench.incarnation.run())  # with an interval of an hour: only who asks is beaten for
    await bench.db.until(lambda: bool(bench.held_reports))
    heartbeat.cancel()
    (attempt,), again = await bench.claimer.claim("echo", 1, jobs)
    assert (attempt.claimed.id, again) == (job_id, [])


async def test_while_the_database_is_away_the_message_is_kept(bench: Bench) -> None:
    job_id = await bench.stage.published()
    jobs = await bench.in_hand(job_id)
    bench.db.away = True
    assert await bench.claimer.claim("echo", 1, jobs) == ([], jobs)
    assert await bench.acked() == set()
    assert bench.held.claiming == set()
    bench.db.away = False
    assert len((await bench.claimer.claim("echo", 1, jobs))[0]) == 1


async def test_what_was_claimed_stays_when_the_reasons_for_the_rest_cannot_be_asked(bench: Bench) -> None:
    mine, other = await bench.stage.published(), await bench.stage.published(version=2)
    jobs = await bench.in_hand(mine, other)
    bench.db.refuse["explain_unclaimed"] = 1
    (attempt,), again = await bench.claimer.claim("echo", 1, jobs)
    assert attempt.claimed.id == mine
    assert [job.job_id for job in again] == [other]


async def test_a_claim_under_way_is_known_as_such(bench: Bench) -> None:
    """Rule 6: its answer is on its way; the heartbeat must not hand it back."""
    job_id = await bench.stage.published()
    jobs = await bench.in_hand(job_id)
    answered = bench.db.hold["claim"] = asyncio.Event()
    claiming = asyncio.create_task(bench.claimer.claim("echo", 1, jobs))
    while await bench.stage.state(job_id) is not JobState.RUNNING:
        await asyncio.sleep(0)
    assert bench.held.claiming == {job_id}
    answered.set()
    await claiming
    assert bench.held.claiming == set()
    assert len(bench.held) == 1


async def test_two_messages_of_one_job_are_claimed_one_after_the_other(bench: Bench) -> None:
    job_id = await bench.stage.published()
    old, newer = [*await bench.in_hand(job_id), *await bench.in_hand(job_id, publish_no=2)]
    (attempt,), again = await bench.claimer.claim("echo", 1, [old, newer])
    assert again == [old]
    assert await bench.claimer.claim("echo", 1, again) == ([], [])
    assert await bench.acked() == old.ack_ids
    assert attempt.in_hand is newer
