"""The dead-letter consumer (rule 5): keeps, publishes anew, and never fails a job."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from google.pubsub_v1.types import DeadLetterPolicy, Subscription

from api_service import dead_letters as dead_letters_module
from api_service.broker_health import BrokerHealth
from api_service.dead_letters import DeadLetters
from api_service.relay import Relay
from deploy.local.emulator import Emulator
from ml_service.worker.desk import Desk
from shared.broker.channel import open_clients
from shared.broker.names import Names
from shared.broker.pubsub import Pubsub
from shared.errors import BrokerUnavailable, NotProvisioned
from shared.message import JobMessage
from shared.queues import Provisioner
from shared.states import JobState
from tests.contract.broker.conftest import receive
from tests.contract.database.stage import Stage
from tests.hand_broker import HandBroker, delivery, raw
from tests.integration.backstage.going_on import going_on
from tests.unsteady_database import UnsteadyDatabase

DAY = 24 * 3600.0
_numbers = count(1)


async def echo_queue() -> list[str]:
    return ["echo"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters_module, "PAUSE", 0.001)


@pytest.fixture
def health() -> BrokerHealth:
    return BrokerHealth()


@pytest.fixture
def consumer(db: UnsteadyDatabase, broker: HandBroker, health: BrokerHealth) -> DeadLetters:
    return DeadLetters(db, broker, health, echo_queue, Provisioner(broker, db, allowed=True), DAY)


async def kept(stage: Stage) -> list[Any]:
    rows: list[Any] = await stage.connection.fetch("SELECT * FROM dead_letters ORDER BY received_at")
    return rows


async def gone(broker: HandBroker) -> None:
    """Waits until all dead letters have been acked."""
    await broker.until(lambda: broker.calls["acknowledge_dead"] >= 1 and not broker.dead["echo"])


async def test_what_cannot_be_read_is_kept_with_its_reason(
    consumer: DeadLetters, broker: HandBroker, stage: Stage
) -> None:
    told, untold = raw(b"\xff\x00", {"reason": "no JSON", "odd": "\0"}), raw(b'{"v": 99}')
    broker.dead["echo"] = [told, untold]
    async with going_on(consumer):
        await gone(broker)
    first, second = await kept(stage)
    assert (first["queue"], first["data"], first["reason"]) == ("echo", b"\xff\x00", "no JSON")
    assert '"odd"' in first["attributes"]
    assert "version 99" in second["reason"]


async def test_a_number_that_the_database_cannot_hold_stops_nobody(
    consumer: DeadLetters, broker: HandBroker, stage: Stage
) -> None:
    """Else all that was pulled with it would come again for ever."""
    job_id = await stage.published()
    broker.dead["echo"] = [delivery(job_id, publish_no=2**40), delivery(job_id)]
    async with going_on(consumer):
        await gone(broker)
    (letter,) = await kept(stage)
    assert "publish_no" in letter["reason"]
    assert (await stage.row(job_id))["publish_no"] == 2


async def test_a_job_that_still_waits_is_published_anew(
    consumer: DeadLetters, broker: HandBroker, stage: Stage, db: UnsteadyDatabase
) -> None:
    """Whatever made the broker give up: the row decides."""
    job_id = await stage.published()
    broker.dead["echo"] = [delivery(job_id)]
    relay = Relay(db, broker, BrokerHealth(), Provisioner(broker, db, allowed=True))
    async with going_on(consumer, relay):
        await gone(broker)
        relay.sweep_soon()
        await broker.until(lambda: bool(broker.published["echo"]))
    (message,) = broker.published["echo"]
    assert JobMessage.decode(*message).publish_no == 2
    row = await stage.row(job_id)
    assert (row["state"], row["charged"], row["attempt"]) == ("queued", 0, 0)
    assert await kept(stage) == []


@pytest.mark.parametrize("state", list(JobState))
async def test_other_jobs_are_left_as_they_are(
    consumer: DeadLetters, broker: HandBroker, stage: Stage, state: JobState
) -> None:
    """A queued one, too, if the letter is of an earlier entry."""
    job_id = await stage.in_state(state, await stage.worker())
    await stage.change(job_id, "publish_no = 3")
    before = await stage.row(job_id)
    broker.dead["echo"] = [delivery(job_id, publish_no=2)]
    async with going_on(consumer):
        await gone(broker)
    assert await stage.row(job_id) == before


async def test_nothing_is_acked_while_the_database_is_away(
    consumer: DeadLetters, broker: HandBroker, stage: Stage, db: UnsteadyDatabase
) -> None:
    job_id = await stage.published()
    broker.dead["echo"] = [raw(b"{"), delivery(job_id)]
    db.away = True
    async with going_on(consumer):
        await broker.until(lambda: broker.calls["pull_dead"] >= 3)
        assert len(broker.dead["echo"]) == 2
        db.away = False
        await gone(broker)
    assert len(await kept(stage)) == 1
    assert (await stage.row(job_id))["published_at"] is None


async def test_a_letter_that_comes_again_is_kept_once(consumer: DeadLetters, broker: HandBroker, stage: Stage) -> None:
    """Its ack was lost."""
    broker.dead["echo"] = [raw(b"{")]
    broker.faults["acknowledge_dead"] = BrokerUnavailable("away")
    async with going_on(consumer):
        await broker.until(lambda: broker.calls["acknowledge_dead"] >= 2)
        del broker.faults["acknowledge_dead"]
        await gone(broker)
    assert len(await kept(stage)) == 1


async def test_it_goes_on_when_the_broker_is_back(
    consumer: DeadLetters, broker: HandBroker, stage: Stage, health: BrokerHealth
) -> None:
    broker.dead["echo"] = [raw(b"{")]
    broker.faults["pull_dead"] = BrokerUnavailable("away")
    async with going_on(consumer):
        await broker.until(lambda: broker.calls["pull_dead"] >= 2)
        with pytest.raises(BrokerUnavailable):
            await health.check()
        del broker.faults["pull_dead"]
        await gone(broker)
        await broker.until(lambda: broker.calls["acknowledge_dead"] == 1)
        calls = broker.calls["pull_dead"]
        await broker.until(lambda: broker.calls["pull_dead"] > calls + 1)
        await health.check()
    assert len(await kept(stage)) == 1


async def test_a_queue_without_a_place_for_dead_letters_is_given_one(consumer: DeadLetters, broker: HandBroker) -> None:
    broker.faults["pull_dead"] = NotProvisioned("gone")
    async with going_on(consumer):
        await broker.until(lambda: broker.provisioned == ["echo"])
        del broker.faults["pull_dead"]
        calls = broker.calls["pull_dead"]
        await broker.until(lambda: broker.calls["pull_dead"] > calls)


async def test_letters_past_their_retention_are_removed(
    consumer: DeadLetters, broker: HandBroker, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few in each round, until there are none."""
    monkeypatch.setattr(dead_letters_module, "PER_PURGE", 2)
    broker.dead["echo"] = [raw(b"{") for _ in range(6)]
    async with going_on(consumer):
        await gone(broker)
        await stage.connection.execute(
            "UPDATE dead_letters SET received_at = now() - interval '2 days'"
            " WHERE id <> (SELECT id FROM dead_letters LIMIT 1)"
        )
        async with asyncio.timeout(10):
            while len(await kept(stage)) > 1:
                await asyncio.sleep(0)


@pytest.fixture
def names() -> Names:
    """A prefix for this test alone."""
    return Names("integration", f"dead{next(_numbers)}-")


@pytest.fixture
async def pubsub(emulator: Emulator, names: Names) -> AsyncIterator[Pubsub]:
    pubsub = await Pubsub.connect(names.project, emulator.host, names.prefix)
    yield pubsub
    await pubsub.close()


async def test_an_unreadable_message_goes_from_the_queue_to_the_table(
    pubsub: Pubsub, db: UnsteadyDatabase, stage: Stage, health: BrokerHealth
) -> None:
    """Rule 5 from one end to the other, through a real broker: a worker's desk, the dead-letter topic, the consumer."""
    await pubsub.provision("echo")
    await pubsub.publish("echo", [(b"not for us", {"from": "elsewhere"})])
    desk = Desk(pubsub, Provisioner(pubsub, db, allowed=True))
    assert await desk.take_in("echo", await receive(pubsub.pull, 1, queue="echo")) == []
    await desk.flush_acks()
    consumer = DeadLetters(db, pubsub, health, echo_queue, Provisioner(pubsub, db, allowed=True), DAY)
    async with going_on(consumer), asyncio.timeout(20):
        while not (letters := await kept(stage)):
            await asyncio.sleep(0.01)
    (letter,) = letters
    assert (letter["queue"], letter["data"]) == ("echo", b"not for us")
    assert "not JSON" in letter["reason"]


@pytest.fixture
async def hasty_queue(pubsub: Pubsub, emulator: Emulator, names: Names) -> str:
    """A queue that redelivers at once, and gives up after five deliveries instead of twenty (no fewer are allowed)."""
    await pubsub.provision("echo")
    of = names.of("echo")
    clients = await open_clients(emulator.host)
    await clients.subscriber.delete_subscription(subscription=of.subscription, retry=None, timeout=10)
    policy = DeadLetterPolicy(dead_letter_topic=of.dead_topic, max_delivery_attempts=5)
    hasty = Subscription(name=of.subscription, topic=of.topic, ack_deadline_seconds=60, dead_letter_policy=policy)
    await clients.subscriber.create_subscription(request=hasty, retry=None, timeout=10)
    await clients.close()
    return "echo"


async def test_a_readable_message_that_was_delivered_too_often_is_published_anew(
    hasty_queue: str, pubsub: Pubsub, db: UnsteadyDatabase, stage: Stage, health: BrokerHealth
) -> None:
    """Rule 5: whoever kept dying with it, the broker's count is not the job's: `max_attempts` in the row is."""
    job_id = await stage.published()
    await pubsub.publish(hasty_queue, [JobMessage(job_id, 1, "echo", "inference").encode()])
    for _ in range(5):
        (message,) = await receive(pubsub.pull, 1)
        await pubsub.extend(hasty_queue, [message.ack_id], 0)
    await pubsub.publish(hasty_queue, [(b"next", {})])
    await receive(pubsub.pull, 1)  # only then does the emulator look through the queue
    consumer = DeadLetters(db, pubsub, health, echo_queue, Provisioner(pubsub, db, allowed=True), DAY)
    async with going_on(consumer), asyncio.timeout(20):
        while (await stage.row(job_id))["published_at"] is not None:
            await asyncio.sleep(0.01)
    row = await stage.row(job_id)
    assert (row["state"], row["publish_no"], row["charged"], row["attempt"]) == ("queued", 2, 0, 0)
    assert await kept(stage) == []
