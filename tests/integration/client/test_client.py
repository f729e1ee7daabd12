"""Every call, by both clients, against the API as it is."""

import asyncio
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from deploy.client import InvalidRequest, Job, JobFailed, ProblemError, WaitTimedOut
from shared.database.catalogue import register_model
from shared.database.dead_letters import keep_dead_letter
from shared.database.pool import Database
from shared.message import JobMessage
from tests.integration.api.conftest import REVERSE
from tests.integration.api.worker import HandWorker
from tests.integration.client.conftest import Caller

ABC = {"text": "abc"}


async def test_a_job_is_submitted_asked_for_and_read_when_it_is_done(caller: Caller, worker: HandWorker) -> None:
    job = await caller("submit", "reverse", ABC, metadata={"page": 1}, max_attempts=2, queue_ttl=60)
    assert (job.state, job.version, job.max_attempts, job.metadata, job.finished) == (
        "queued",
        1,
        2,
        {"page": 1},
        False,
    )
    assert (await caller("get", job.id, include_input=True)).input == ABC

    await worker.succeed(job.id, await worker.begin(job.id), '{"text": "cba"}')

    done = await caller("wait", job)
    assert (done.state, done.result, done.succeeded) == ("succeeded", {"text": "cba"}, True)
    assert await caller("result", job.id) == {"text": "cba"}
    assert done.created_at < done.started_at < done.finished_at


async def test_a_wait_lasts_until_the_job_has_ended(caller: Caller, worker: HandWorker) -> None:
    job = await caller("submit", "reverse", ABC)
    waiting = asyncio.create_task(caller("wait", job.id, 30))
    attempt = await worker.begin(job.id)
    await worker.report(job.id, attempt, 0.5)
    await worker.fail(job.id, attempt)

    failed = await waiting

    assert (failed.state, failed.error.code, failed.error.attempts[0].attempt) == ("failed", "invalid_input", 1)


async def test_a_wait_that_is_too_short_ends_in_time(caller: Caller) -> None:
    job = await caller("submit", "reverse", ABC)

    async with asyncio.timeout(5):
        with pytest.raises(WaitTimedOut, match="queued"):
            await caller("wait", job.id, 0.3)
        assert (await caller("submit", "reverse", ABC, wait=0.3)).state == "queued"


async def test_a_submission_that_waits_brings_the_result(caller: Caller, worker: HandWorker) -> None:
    submitting = asyncio.create_task(caller("submit", "reverse", ABC, wait=30))
    (job,) = await appeared(caller)
    await worker.succeed(job.id, await worker.begin(job.id), "1")

    assert (await submitting).result == 1


async def test_run_brings_the_result_or_what_the_job_failed_of(caller: Caller, worker: HandWorker) -> None:
    running = asyncio.create_task(caller("run", "reverse", ABC, timeout=30))
    (job,) = await appeared(caller)
    await worker.succeed(job.id, await worker.begin(job.id), '{"text": "cba"}')
    assert await running == {"text": "cba"}

    running = asyncio.create_task(caller("run", "reverse", {"text": "def"}))
    job, _ = await appeared(caller, 2)
    await worker.fail(job.id, await worker.begin(job.id))
    with pytest.raises(JobFailed, match="not good"):
        await running

    with pytest.raises(WaitTimedOut):
        await caller("run", "reverse", ABC, timeout=0.2)


async def test_following_gives_what_happens(caller: Caller, worker: HandWorker) -> None:
    job = await caller("submit", "reverse", ABC)
    following = asyncio.create_task(caller.items("follow", job.id, 30, refresh=1.0))
    attempt = await worker.begin(job.id)
    await worker.report(job.id, attempt, 0.5)
    await worker.succeed(job.id, attempt, "1")

    seen = [one.state for one in await following]

    assert seen == sorted(seen, key=["queued", "running", "succeeded"].index)
    assert seen[-1] == "succeeded"


async def test_a_batch_is_submitted_in_order(caller: Caller) -> None:
    batch = await caller("submit_batch", [{"model": "reverse", "input": {"text": str(n)}} for n in range(3)])

    inputs = [(await caller("get", job, include_input=True)).input for job in batch.jobs]
    assert inputs == [{"text": "0"}, {"text": "1"}, {"text": "2"}]
    assert len(await caller.items("list", batch_id=batch.batch_id)) == 3


async def test_lists_are_filtered_and_go_over_pages(caller: Caller) -> None:
    for _ in range(3):
        await caller("submit_batch", [{"model": "reverse", "input": ABC}] * 100)
    other = await caller("submit", "anything", 1)

    assert len(await caller.items("list")) == 301
    assert [job.id for job in await caller.items("list", limit=1)] == [other.id]
    assert [job.id for job in await caller.items("list", model="anything", state="queued")] == [other.id]


async def test_jobs_are_cancelled_queued_again_and_deleted(caller: Caller) -> None:
    job = await caller("submit", "reverse", ABC)

    assert (await caller("cancel", job)).state == "cancelled"
    assert (await caller("cancel", job)).state == "cancelled"
    assert (await caller("retry", job)).state == "queued"
    with pytest.raises(ProblemError, match="409 wrong_state"):
        await caller("retry", job)


async def test_a_result_is_saved_to_a_file(caller: Caller, worker: HandWorker, tmp_path: Path) -> None:
    job = await caller("submit", "reverse", ABC)
    with pytest.raises(ProblemError, match="no result yet"):
        await caller("save_result", job, tmp_path / "result.json")
    text = '["' + "x" * 3_000_000 + '"]'
    await worker.succeed(job.id, await worker.begin(job.id), text)

    assert await caller("save_result", job, tmp_path / "result.json") == len(text)
    assert (tmp_path / "result.json").read_text() == text
    assert await caller("result", job) == ["x" * 3_000_000]


async def test_models_and_workers_are_described(caller: Caller, worker: HandWorker) -> None:
    assert [model.name for model in await caller("models")] == ["anything", "pictures", "reverse"]
    model = await caller("model", "reverse")
    assert (model.versions[0].version, model.input_schema["required"]) == (1, ["text"])
    (alive,) = await caller("workers")
    assert (alive.name, alive.alive, alive.models[0].name) == ("by hand", True, "reverse")


async def test_events_come_as_they_happen_until_the_job_has_ended(caller: Caller, worker: HandWorker) -> None:
    job = await caller("submit", "reverse", ABC)
    watching = asyncio.create_task(caller.items("events", job))
    attempt = await worker.begin(job.id)
    await worker.report(job.id, attempt, 0.5)
    await worker.succeed(job.id, attempt, "1")

    async with asyncio.timeout(20):
        seen = await watching

    assert [one.seq for one in seen] == list(range(1, len(seen) + 1))
    assert [one.data["state"] for one in seen if one.type == "state"] == ["queued", "running", "succeeded"]
    assert [one.data["fraction"] for one in seen if one.type == "progress"] == [0.5]
    assert await caller.items("events", job, after=seen[-2].seq) == seen[-1:]
    assert await caller.items("events", job, after=seen[-1].seq) == []


async def test_events_of_a_job_that_was_queued_again_go_on(caller: Caller, worker: HandWorker) -> None:
    job = await caller("submit", "reverse", ABC)
    await caller("cancel", job)
    await caller("retry", job)
    watching = asyncio.create_task(caller.items("events", job))
    await worker.succeed(job.id, await worker.begin(job.id), "1")

    async with asyncio.timeout(20):
        states = [one.data["state"] for one in await watching]

    assert states == ["queued", "cancelled", "queued", "running", "succeeded"]


async def test_webhooks_have_a_secret_that_can_be_changed_and_a_log(caller: Caller) -> None:
    first, same = await caller("webhook_secret"), await caller("webhook_secret")
    other = await caller("webhook_secret", rotate=True)
    job = await caller("submit", "reverse", ABC, webhook={"url": "https://example.com/hook"})
    await caller("cancel", job)
    (delivery,) = await caller("webhook_deliveries", job)

    assert first == same != other
    assert other.startswith("whsec_")
    assert (delivery.event, delivery.url, delivery.tries) == ("job.cancelled", "https://example.com/hook", [])


async def test_dead_letters_are_listed_inspected_redriven_and_deleted(caller: Caller, db: Database) -> None:
    job = await caller("submit", "reverse", ABC)
    data, attributes = JobMessage(UUID(job.id), 1, "reverse", "inference").encode()
    for queue, content in (("reverse", data), ("anything", b"\xff")):
        await keep_dead_letter(db, uuid4(), queue, content, attributes, "could not be read")

    unreadable, readable = await caller.items("dead_letters")
    assert (unreadable.queue, unreadable.size, unreadable.reason, unreadable.data) == (
        "anything",
        1,
        "could not be read",
        None,
    )
    assert await caller.items("dead_letters", queue="reverse", limit=1) == [readable]
    shown = await caller("dead_letter", readable)
    assert (shown.data, shown.encoding, shown.attributes) == (data.decode(), "utf-8", attributes)
    with pytest.raises(ProblemError, match="409 unreadable_message"):
        await caller("redrive", unreadable)
    assert (await caller("redrive", readable.id)).id == job.id
    await caller("delete_dead_letter", unreadable)
    await caller("delete_dead_letter", unreadable)
    assert await caller.items("dead_letters") == []


async def test_a_version_is_promoted(caller: Caller, db: Database) -> None:
    await register_model(db, replace(REVERSE, version=2))

    promoted = await caller("promote", "reverse", 1)

    assert {version.version: version.default for version in promoted.versions} == {1: True, 2: False}
    assert (await caller("submit", "reverse", ABC)).version == 1
    with pytest.raises(ProblemError, match="404"):
        await caller("promote", "reverse", 7)


async def test_queues_tell_how_they_are_doing(caller: Caller) -> None:
    await caller("submit", "reverse", ABC)

    found = {queue.queue: queue for queue in (await caller("stats")).queues}

    assert found["reverse"].counts["queued"] == 1
    assert found["reverse"].running.p50 is None


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (("get", "nothing"), "unknown_job"),
        (("wait", "01990000-0000-7000-8000-000000000000"), "unknown_job"),
        (("dead_letter", "nothing"), "unknown_dead_letter"),
        (("redrive", "nothing"), "unknown_dead_letter"),
        (("model", "nothing"), "unknown_model"),
        (("submit", "nothing", {}), "unknown_model"),
    ],
)
async def test_what_is_not_there_is_told_with_its_code(caller: Caller, call: tuple[object, ...], code: str) -> None:
    with pytest.raises(ProblemError) as raised:
        await caller(str(call[0]), *call[1:])

    assert (raised.value.status, raised.value.code) == (404, code)


async def test_an_input_that_does_not_fit_is_told_field_by_field(caller: Caller) -> None:
    with pytest.raises(ProblemError, match="/input/text: ") as raised:
        await caller("submit", "reverse", {"text": 1})

    assert [fault.path for fault in raised.value.errors] == ["/input/text"]


async def test_a_key_of_ones_own_makes_one_job_of_two_submissions(caller: Caller) -> None:
    first, again = [await caller("submit", "reverse", ABC, idempotency_key="mine") for _ in range(2)]
    assert first.id == again.id

    with pytest.raises(ProblemError, match="idempotency_key_reused"):
        await caller("submit", "reverse", {"text": "def"}, idempotency_key="mine")


async def test_what_is_no_json_is_never_sent(caller: Caller) -> None:
    with pytest.raises(InvalidRequest):
        await caller("submit", "reverse", {"text": b"abc"})


async def appeared(caller: Caller, jobs: int = 1) -> list[Job]:
    """The jobs, newest first, once there are so many: a submission that waits does not tell of its job."""
    async with asyncio.timeout(20):
        while len(found := await caller.items("list")) < jobs:
            await asyncio.sleep(0.01)
    return found
