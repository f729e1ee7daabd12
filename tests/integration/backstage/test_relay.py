"""The relay (rules 2 and 3): whatever was committed is published, whoever dies in between."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from api_service import dead_letters as dead_letters_module
from api_service import relay as relay_module
from api_service import resting
from api_service.broker_health import BrokerHealth
from api_service.dead_letters import DeadLetters
from api_service.relay import PER_CALL, REMEMBERED, Relay
from shared.broker.names import InvalidQueueName
from shared.database.outbox import lease_unpublished
from shared.database.submission import insert_jobs
from shared.errors import BrokerUnavailable, NotProvisioned
from shared.job import NewJob
from shared.message import JobMessage
from shared.queues import Provisioner
from shared.states import JobState
from tests.contract.database.stage import Stage, new_job
from tests.hand_broker import HandBroker, Message
from tests.integration.backstage.going_on import going_on
from tests.unsteady_database import UnsteadyDatabase


class Office:
    """A relay and what it works with."""

    def __init__(self, db: UnsteadyDatabase, stage: Stage, broker: HandBroker) -> None:
        self.db = db
        self.stage = stage
        self.broker = broker
        self.health = BrokerHealth()
        self.relay = Relay(db, broker, self.health, Provisioner(broker, db, allowed=True))

    async def commit(self, count: int = 1, queue: str = "echo") -> list[NewJob]:
        """Stored by this process, which has not published them yet."""
        jobs = [new_job(queue=queue) for _ in range(count)]
        await insert_jobs(self.stage.db, jobs)
        return jobs

    async def left_behind(self, queue: str = "echo") -> UUID:
        """Stored by a process that is gone; its lease is over."""
        (job,) = await self.commit(queue=queue)
        await self.stage.change(job.id, "publish_leased_until = now() - interval '1 s'")
        return job.id

    def messages(self, queue: str = "echo") -> list[tuple[UUID, int]]:
        decoded = [JobMessage.decode(*message) for message in self.broker.published[queue]]
        return [(message.job_id, message.publish_no) for message in decoded]

    async def sent(self, count: int, queue: str = "echo") -> list[tuple[UUID, int]]:
        await self.broker.until(lambda: len(self.broker.published[queue]) >= count)
        return self.messages(queue)

    async def stamped(self, *job_ids: UUID) -> None:
        """Waits until they are."""
        async with asyncio.timeout(10):
            for job_id in job_ids:
                while (await self.stage.row(job_id))["published_at"] is None:
                    await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "RETRY_FIRST", 0.02)
    monkeypatch.setattr(resting, "RETRY_MOST", 0.02)
    monkeypatch.setattr(relay_module, "SWEEP_EVERY", 0.005)


@pytest.fixture
def office(db: UnsteadyDatabase, stage: Stage, broker: HandBroker) -> Office:
    return Office(db, stage, broker)


async def test_what_was_just_committed_is_published_at_once_and_stamped(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep has no part in it: it leaves these rows to us."""
    jobs = await office.commit(3)
    async with going_on(office.relay):
        office.relay.offer(jobs)
        assert {*await office.sent(3)} == {(job.id, 1) for job in jobs}
        await office.stamped(*(job.id for job in jobs))
    for job in jobs:
        assert (await office.stage.row(job.id))["publish_leased_until"] is None


async def test_a_message_carries_what_the_worker_needs(office: Office) -> None:
    job = new_job(queue="stage", model="actor", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    await insert_jobs(office.stage.db, [job])
    async with going_on(office.relay):
        office.relay.offer([job])
        await office.sent(1, "stage")
    (message,) = office.broker.published["stage"]
    assert JobMessage.decode(*message) == JobMessage(job.id, 1, "actor", "inference", job.traceparent)


async def test_many_go_in_calls_of_a_hundred(office: Office) -> None:
    jobs = await office.commit(2 * PER_CALL + 50)
    async with going_on(office.relay):
        office.relay.offer(jobs)
        await office.sent(len(jobs))
        assert office.broker.calls["publish"] == 3
        await office.stamped(*(job.id for job in jobs))


async def test_what_comes_soon_after_a_call_of_several_goes_together(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call costs as much as five submissions, whatever it carries."""
    monkeypatch.setattr(relay_module, "GATHER_AT_MOST", 0.2)
    monkeypatch.setattr(relay_module, "GATHER_EACH", 0.2)
    jobs = await office.commit(2 + 5)
    async with going_on(office.relay):
        office.relay.offer(jobs[:2])
        await office.sent(2)
        for job in jobs[2:]:
            office.relay.offer([job])
            await asyncio.sleep(0)
        await office.sent(len(jobs))
    assert office.broker.calls["publish"] == 2


async def test_a_full_call_does_not_wait_for_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "GATHER_AT_MOST", 3600.0)
    monkeypatch.setattr(relay_module, "GATHER_EACH", 3600.0)
    jobs = await office.commit(1 + PER_CALL)
    async with going_on(office.relay):
        office.relay.offer(jobs[:1])
        await office.sent(1)
        office.relay.offer(jobs[1:])
        assert len(await office.sent(len(jobs))) == len(jobs)


async def test_jobs_that_are_published_together_are_stamped_together(office: Office) -> None:
    jobs = await office.commit(3 * PER_CALL)
    async with going_on(office.relay):
        office.relay.offer(jobs)
        await office.stamped(*(job.id for job in jobs))
        assert office.db.asked["stamp_published"] == 1


async def test_what_the_broker_refused_is_let_go_and_found_by_the_sweep(office: Office) -> None:
    office.broker.faults["publish"] = BrokerUnavailable("away")
    jobs = await office.commit()
    async with going_on(office.relay):
        office.relay.offer(jobs)
        await office.broker.until(lambda: office.broker.calls["publish"] >= 3)  # the fast path once, then the sweep
        with pytest.raises(BrokerUnavailable):
            await office.health.check()
        del office.broker.faults["publish"]
        assert await office.sent(1) == [(jobs[0].id, 1)]
        await office.stamped(jobs[0].id)
    await office.health.check()


@pytest.mark.parametrize("fault", [BrokerUnavailable("not permitted"), NotProvisioned("no topic")])
async def test_that_nothing_can_be_published_shows_although_dead_letters_can_be_pulled(
    office: Office, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(dead_letters_module, "PAUSE", 0.001)

    async def queues() -> list[str]:
        return ["echo"]

    office.broker.faults["publish"] = fault
    provision = Provisioner(office.broker, office.db, allowed=False)
    consumer = DeadLetters(office.db, office.broker, office.health, queues, provision, retention=3600.0)
    await office.left_behind()
    async with going_on(office.relay), going_on(consumer):
        await office.broker.until(lambda: office.broker.calls["publish"] >= 2)
        pulled = office.broker.calls["pull_dead"]
        await office.broker.until(lambda: office.broker.calls["pull_dead"] > pulled + 2)
        with pytest.raises(BrokerUnavailable, match=str(fault)):
            await office.health.check()


async def test_what_another_process_left_behind_is_found(office: Office) -> None:
    job_id = await office.left_behind()
    async with going_on(office.relay):
        assert await office.sent(1) == [(job_id, 1)]
        await office.stamped(job_id)


async def test_what_is_young_or_not_due_or_published_or_claimed_is_left_alone(office: Office) -> None:
    """Rule 3: the sweep leaves the fast path its time."""
    young = (await office.commit())[0].id
    later = await office.left_behind()
    await office.stage.change(later, "available_at = now() + interval '1 min'")
    await office.stage.published()
    await office.stage.running(await office.stage.worker())
    async with going_on(office.relay):
        await office.db.until(lambda: office.db.asked["lease_unpublished"] >= 3)
    assert office.messages() == []
    assert (await office.stage.row(young))["published_at"] is None


async def test_who_dies_between_publishing_and_stamping_has_it_sent_again(office: Office) -> None:
    """Rule 3: twice does no harm, never would."""
    job_id = await office.left_behind()
    office.db.refuse["stamp_published"] = 1
    async with going_on(office.relay):
        await office.sent(1)
        await office.db.until(lambda: office.db.asked["stamp_published"] == 1)
    await office.stage.change(job_id, "publish_leased_until = now() - interval '1 s'")
    async with going_on(
        Relay(office.db, office.broker, office.health, Provisioner(office.broker, office.db, allowed=True))
    ):
        assert await office.sent(2) == [(job_id, 1), (job_id, 1)]
        await office.stamped(job_id)


async def test_a_late_stamp_does_not_mark_a_newer_entry_as_published(office: Office) -> None:
    """Rule 2: between publishing and stamping the job was claimed and queued again."""
    (job,) = await office.commit()
    answered = office.db.hold["stamp_published"] = asyncio.Event()
    answered.set()
    entered = asyncio.Event()

    async def publish(queue: str, messages: object) -> None:
        office.broker._called("publish")
        if not entered.is_set():
            await office.stage.change(job.id, "publish_no = 2, publish_leased_until = now() + interval '1 min'")
            entered.set()

    office.broker.publish = publish  # type: ignore[method-assign]  # something happens meanwhile
    async with going_on(office.relay):
        office.relay.offer([job])
        await office.db.until(lambda: office.db.asked["stamp_published"] == 1)
        await entered.wait()
    row = await office.stage.row(job.id)
    assert (row["publish_no"], row["published_at"]) == (2, None)


async def test_what_is_queued_again_is_published_without_waiting_for_the_next_sweep(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "SWEEP_EVERY", 3600.0)
    async with going_on(office.relay):
        await office.db.until(lambda: office.db.asked["lease_unpublished"] == 1)
        job_id = await office.left_behind()
        office.relay.sweep_soon()
        assert await office.sent(1) == [(job_id, 1)]


async def test_a_backlog_is_swept_without_pauses(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "SWEEP_EVERY", 3600.0)
    await office.commit(3 * PER_CALL)
    await office.stage.connection.execute("UPDATE jobs SET publish_leased_until = NULL")
    async with going_on(office.relay):
        assert len({*await office.sent(3 * PER_CALL)}) == 3 * PER_CALL


async def test_the_sweep_goes_on_after_the_database_was_away(office: Office) -> None:
    job_id = await office.left_behind()
    office.db.away = True
    async with going_on(office.relay):
        await office.db.until(lambda: office.db.asked["lease_unpublished"] >= 3)
        office.db.away = False
        assert await office.sent(1) == [(job_id, 1)]


async def test_only_so_many_are_remembered(office: Office) -> None:
    """More wait in the table: the sweep finds them there. Memory stays bounded while the broker is slow."""
    jobs = [new_job() for _ in range(REMEMBERED + 5)]
    office.relay.offer(jobs[:10])
    office.relay.offer(jobs[10:])
    office.relay.offer(jobs[:10])
    assert len(office.relay._fresh) == REMEMBERED


async def test_a_queue_that_is_gone_is_made_and_its_jobs_are_published(office: Office) -> None:
    """Rule 11: also those that the broker forgot with it."""
    forgotten = await office.stage.published()
    job_id = await office.left_behind()
    office.broker.faults["publish"] = NotProvisioned("no topic")
    make = office.broker.provision

    async def provision(queue: str) -> bool:
        office.broker.faults.clear()
        return await make(queue)

    office.broker.provision = provision  # type: ignore[method-assign]  # from then on it is there
    async with going_on(office.relay):
        assert {*await office.sent(2)} == {(forgotten, 2), (job_id, 2)}
        await office.stamped(forgotten, job_id)
    assert office.broker.provisioned == ["echo"]


@pytest.mark.parametrize("fault", [NotProvisioned("no topic"), InvalidQueueName("no name for a topic")])
async def test_one_queue_that_cannot_be_published_to_does_not_hold_up_the_others(
    office: Office, fault: Exception
) -> None:
    """Its jobs are the oldest, and more than a sweep takes at once."""
    office.relay = Relay(office.db, office.broker, office.health, Provisioner(office.broker, office.db, allowed=False))
    await office.commit(2 * PER_CALL, queue="missing")
    await office.stage.connection.execute(
        "UPDATE jobs SET publish_leased_until = NULL, available_at = now() - interval '1 h'"
    )
    publish = office.broker.publish

    async def publish_to_known(queue: str, messages: Sequence[Message]) -> None:
        if queue == "missing":
            office.broker._called("refused")
            raise fault
        await publish(queue, messages)

    office.broker.publish = publish_to_known  # type: ignore[method-assign]  # as a broker without that queue does
    other = await office.left_behind()
    async with going_on(office.relay):
        assert await office.sent(1) == [(other, 1)]
        refused = office.broker.calls["refused"]
        await office.broker.until(lambda: office.broker.calls["refused"] > refused)  # it is not given up
    assert {row["state"] for row in await office.stage.rows()} == {JobState.QUEUED}


async def test_a_job_that_was_leased_by_a_relay_that_died_is_published_when_its_lease_is_over(office: Office) -> None:
    job_id = await office.left_behind()
    await lease_unpublished(office.stage.db, 10)
    async with going_on(office.relay):
        await office.db.until(lambda: office.db.asked["lease_unpublished"] >= 3)
        assert office.messages() == []
        await office.stage.change(job_id, "publish_leased_until = now() - interval '1 s'")
        assert await office.sent(1) == [(job_id, 1)]
