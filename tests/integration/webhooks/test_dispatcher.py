"""The dispatcher with a real database and real receivers."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from standardwebhooks import Webhook
from starlette.responses import Response
from structlog.testing import capture_logs

from api_service.views import render_job
from api_service.webhooks import dispatcher as module
from api_service.webhooks.dispatcher import Calls, Dispatcher
from api_service.webhooks.sending import Answer
from shared.database.deliveries import Delivery, DeliveryState, lease_deliveries, list_deliveries
from shared.database.entries import Ending
from shared.database.moves import cancel_job
from shared.database.pool import Database
from shared.database.reading import get_job
from shared.database.settlement import Settlement, settle
from shared.database.statement import Statement
from shared.database.webhook_secrets import get_webhook_secret, rotate_webhook_secret
from shared.errors import DatabaseUnavailable
from tests.contract.database.stage import OWNER, Stage, new_id, until
from tests.integration.webhooks.conftest import MakeSender
from tests.integration.webhooks.receiver import Received, Receiver

Running = Callable[..., AbstractAsyncContextManager[Dispatcher]]


@pytest.fixture
def running(stage: Stage, make_sender: MakeSender) -> Running:
    """A dispatcher, for as long as the context lasts; cancelled in the middle of whatever it does."""

    @asynccontextmanager
    async def running(db: Database = stage.db, per_host: int = 4) -> AsyncIterator[Dispatcher]:
        one = Dispatcher(db, make_sender().post, Calls(32, per_host, 5.0))
        task = asyncio.create_task(one.run())
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.wait([task])

    return running


async def told(stage: Stage, port: int, host: str = "hook.example.com", owner: str = OWNER, path: str = "/") -> UUID:
    """-> a job that was cancelled, of which somebody is to be told."""
    job_id = await stage.queued(webhook=json.dumps({"url": f"http://{host}:{port}{path}"}), owner=owner)
    await cancel_job(stage.db, owner, job_id)
    return job_id


async def delivery(stage: Stage, job_id: UUID) -> Delivery:
    found = await list_deliveries(stage.db, None, job_id)
    assert found is not None
    return found[0]


async def until_state(stage: Stage, job_id: UUID, state: DeliveryState) -> Delivery:
    async def reached() -> bool:
        return (await delivery(stage, job_id)).state is state

    await until(reached, 10)
    return await delivery(stage, job_id)


async def until_tried(stage: Stage, job_id: UUID, times: int = 1) -> Delivery:
    async def reached() -> bool:
        return len((await delivery(stage, job_id)).tries) == times

    await until(reached, 10)
    return await delivery(stage, job_id)


async def all_due(stage: Stage, column: str = "next_try_at") -> None:
    await stage.connection.execute(f"UPDATE webhook_deliveries SET {column} = now() - interval '1 s'")


async def test_a_receiver_is_told_and_can_be_sure(stage: Stage, receiver: Receiver, running: Running) -> None:
    """By the standard's own library; what it is told is the job as `GET` gives it, result and all."""
    webhook = json.dumps({"url": f"http://hook.example.com:{receiver.port}/"})
    held = await stage.running(
        await stage.worker(), webhook=webhook, metadata='{"page": 1.50}', owner=(owner := str(new_id()))
    )
    await settle(stage.db, [Settlement(*held, Ending.SUCCEEDED, result='{"text": "\\u0000", "n": 1e400}')])
    async with running():
        received = await receiver.next()
        await until_state(stage, held[0], DeliveryState.DELIVERED)
    secret = await get_webhook_secret(stage.db, owner)
    Webhook(secret.secret).verify(received.body, received.headers)
    job = await get_job(stage.db, owner, held[0])
    assert job is not None
    assert job.finished_at is not None
    assert received.body.endswith(b'"data":' + render_job(job) + b"}")
    event = received.event
    assert list(event) == ["type", "timestamp", "data"]
    assert event["type"] == "job.succeeded"
    assert datetime.fromisoformat(event["timestamp"]) == job.finished_at
    assert event["timestamp"].endswith("Z")
    assert received.headers["webhook-id"] == str((await delivery(stage, held[0])).id)
    assert received.headers["content-type"] == "application/json"


@pytest.mark.parametrize("off", [3600, -3600])
async def test_a_message_has_the_time_of_the_database_whatever_the_clock_here_says(
    stage: Stage, receiver: Receiver, running: Running, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    """Also in a later try, whose lease is another: receivers refuse what is five minutes off."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + off)
    receiver.answers(500, 204)
    job_id = await told(stage, receiver.port)
    async with running() as one:
        times = [int((await receiver.next()).headers["webhook-timestamp"])]
        await until_tried(stage, job_id)
        await all_due(stage)
        one.look_soon()
        times.append(int((await receiver.next()).headers["webhook-timestamp"]))
        await until_state(stage, job_id, DeliveryState.DELIVERED)
    now = (await stage.connection.fetchval("SELECT now()")).timestamp()
    assert all(now - 60 < sent <= now for sent in times)


async def test_a_message_that_was_long_in_the_making_has_the_time_when_it_is_sent(stage: Stage) -> None:
    """As where the database keeps us waiting for the secret: seven seconds of the lease are over."""
    sent: list[int] = []

    async def post(_url: str, headers: Mapping[str, str], _body: bytes) -> Answer:
        sent.append(int(headers["webhook-timestamp"]))
        return Answer(204, None, 0.0)

    await told(stage, 80)
    (due,) = await lease_deliveries(stage.db, 1, per_host=1, busy={}, lease=20.0)
    await Dispatcher(stage.db, post, Calls(1, 1, 5.0))._call(due, time.monotonic() + 13)
    assert sent[0] - (due.leased_until.timestamp() - 20) == pytest.approx(7, abs=1.5)


async def test_a_try_that_failed_is_made_again_under_the_same_id(
    stage: Stage, receiver: Receiver, running: Running
) -> None:
    """With a time and a signature of its own, for the same body."""
    receiver.answers(500, 204)
    job_id = await told(stage, receiver.port)
    async with running() as one:
        first = await receiver.next()
        waiting = await until_tried(stage, job_id)
        assert waiting.state is DeliveryState.PENDING
        assert waiting.next_try_at is not None
        assert (waiting.next_try_at - datetime.now(UTC)).total_seconds() < 7
        await all_due(stage)
        one.look_soon()
        second = await receiver.next()
        done = await until_state(stage, job_id, DeliveryState.DELIVERED)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert [(made.status, made.error) for made in done.tries] == [(500, "answered with 500"), (204, None)]


async def test_who_is_gone_is_not_told_again(stage: Stage, receiver: Receiver, running: Running) -> None:
    receiver.answers(410)
    job_id = await told(stage, receiver.port)
    async with running():
        failed = await until_state(stage, job_id, DeliveryState.FAILED)
    assert len(failed.tries) == 1


async def test_a_rotated_secret_signs_along(stage: Stage, receiver: Receiver, running: Running) -> None:
    """A receiver that knows either can be sure."""
    owner = str(new_id())
    old = await get_webhook_secret(stage.db, owner)
    new = await rotate_webhook_secret(stage.db, owner, 60.0)
    await told(stage, receiver.port, owner=owner)
    async with running():
        received = await receiver.next()
    assert received.headers["webhook-signature"].count("v1,") == 2
    for secret in (old.secret, new.secret):
        Webhook(secret).verify(received.body, received.headers)


async def test_several_processes_tell_everything_once(stage: Stage, receiver: Receiver, running: Running) -> None:
    jobs = [await told(stage, receiver.port, f"h{number % 7}.example.com") for number in range(40)]
    async with running(), running(), running():
        ids = {(await receiver.next()).headers["webhook-id"] for _ in jobs}
        for job_id in jobs:
            assert len((await until_state(stage, job_id, DeliveryState.DELIVERED)).tries) == 1
    assert len(ids) == len(jobs)
    assert receiver.nothing_came()


async def test_what_was_under_way_when_a_process_died_is_told_again(
    stage: Stage, receiver: Receiver, running: Running
) -> None:
    """Not before its lease is over: until then it may still be under way."""

    async def hang(_: Received) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    receiver.reply = hang
    job_id = await told(stage, receiver.port)
    async with running():
        first = await receiver.next()
    receiver.answers(204)
    async with running() as one:
        one.look_soon()
        other = await told(stage, receiver.port)
        one.look_soon()
        await until_state(stage, other, DeliveryState.DELIVERED)
        assert (await delivery(stage, job_id)).tries == ()
        await receiver.next()
        await all_due(stage, "leased_until")
        one.look_soon()
        second = await receiver.next()
        await until_state(stage, job_id, DeliveryState.DELIVERED)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_a_slow_receiver_holds_up_nobody_else(stage: Stage, receiver: Receiver, running: Running) -> None:
    """However many are waiting for it, only a few calls are made to it at once."""
    slow, most = 0, 0
    freed = asyncio.Event()

    async def reply(received: Received) -> Response:
        nonlocal slow, most
        if received.headers["host"].startswith("slow"):
            slow += 1
            most = max(most, slow)
            await freed.wait()
            slow -= 1
        return Response(status_code=204)

    receiver.reply = reply
    waiting = [await told(stage, receiver.port, "slow.example.com") for _ in range(12)]
    others = [await told(stage, receiver.port, f"fast{number}.example.com") for number in range(6)]
    async with running(per_host=2):
        for job_id in others:
            await until_state(stage, job_id, DeliveryState.DELIVERED)
        assert (slow, most) == (2, 2)
        freed.set()
        for job_id in waiting:
            await until_state(stage, job_id, DeliveryState.DELIVERED)
    assert most == 2


async def test_one_that_cannot_be_sent_breaks_no_other(stage: Stage, receiver: Receiver, running: Running) -> None:
    """It counts as a try, so that it does not come again without end."""
    broken = await told(stage, receiver.port)
    await stage.connection.execute("UPDATE webhook_deliveries SET job = '{\"state\": 1}'")
    sound = await told(stage, receiver.port)
    with capture_logs():
        async with running():
            await until_state(stage, sound, DeliveryState.DELIVERED)
            tried = await until_tried(stage, broken)
    assert tried.tries[0].error == "it could not be sent; this has been logged"
    assert tried.state is DeliveryState.PENDING


class Away(Database):
    """A database that is away when the first outcome is to be noted."""

    def __init__(self, real: Database) -> None:
        self._real = real
        self.refused = 0

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        if statement.name == "note_delivery" and not self.refused:
            self.refused += 1
            raise DatabaseUnavailable("away")
        return await self._real.fetch(statement, **values)


async def test_what_was_told_while_the_database_was_away_is_not_told_again(
    stage: Stage, receiver: Receiver, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NOTE_AGAIN", 0.01)
    job_id = await told(stage, receiver.port)
    away = Away(stage.db)
    async with running(away):
        await until_state(stage, job_id, DeliveryState.DELIVERED)
    assert away.refused == 1
    await receiver.next()
    assert receiver.nothing_came()


class Broken(Database):
    """A database whose leases are given, and then an error of our own."""

    def __init__(self, real: Database) -> None:
        self._real = real
        self.broken = True

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        if statement.name == "lease_deliveries" and values["busy_count"] and self.broken:
            raise ValueError("broken")
        return await self._real.fetch(statement, **values)


async def test_a_dispatcher_that_broke_can_be_run_again(
    stage: Stage, receiver: Receiver, make_sender: MakeSender
) -> None:
    """With room for as many calls as before."""
    job_id = await told(stage, receiver.port)
    database = Broken(stage.db)
    one = Dispatcher(database, make_sender().post, Calls(2, 1, 5.0))
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(one.run(), 10)
    database.broken = False
    await all_due(stage, "leased_until")
    task = asyncio.create_task(one.run())
    await until_state(stage, job_id, DeliveryState.DELIVERED)
    task.cancel()
    await asyncio.wait([task])


async def test_nothing_secret_is_logged(
    stage: Stage, receiver: Receiver, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """No secret, no signature, no URL with a password in it: not by us, and not by a library, even where all is logged."""
    caplog.set_level(logging.DEBUG)
    receiver.answers(500, 204, 410)
    owner = str(new_id())
    secret = (await get_webhook_secret(stage.db, owner)).secret
    with capture_logs() as logs:
        async with running() as one:
            for number in range(3):
                job_id = await told(stage, receiver.port, owner=owner, path="/token-in-the-url?key=4711")
                one.look_soon()
                await until_tried(stage, job_id)
                signature = (await receiver.next()).headers["webhook-signature"]
                ours = [record.getMessage() for record in caplog.records if "uvicorn" not in record.name]
                written = f"{logs} {ours}"
                for private in (secret, secret.removeprefix("whsec_"), signature, "token-in-the-url", "4711"):
                    assert private not in written, number
    assert {"a webhook was delivered", "a webhook will be tried again", "a webhook was given up"} <= {
        entry["event"] for entry in logs
    }
