"""A line that loses requests and answers, and servers that are busy: one job for each submission all the same."""

import asyncio

import pytest

from deploy.client import ConnectionFailed, ProblemError
from deploy.local.ports import free_port
from tests.integration.api.worker import HandWorker
from tests.integration.client.conftest import Caller, caller_of
from tests.integration.client.proxy import Fault, Proxy

ABC = {"text": "abc"}


@pytest.mark.parametrize("fault", Fault)
async def test_one_job_is_made_whatever_gets_lost(fault: Fault, flaky: Caller, proxy: Proxy, caller: Caller) -> None:
    proxy.faults = [fault, fault]

    job = await flaky("submit", "reverse", ABC)

    assert [one.id for one in await caller.items("list")] == [job.id]
    assert proxy.met == [fault, fault]


async def test_one_batch_is_made_whatever_gets_lost(flaky: Caller, proxy: Proxy, caller: Caller) -> None:
    proxy.faults = list(Fault)

    batch = await flaky("submit_batch", [{"model": "reverse", "input": ABC}] * 5)

    assert {one.id for one in await caller.items("list")} == {job.id for job in batch.jobs}
    assert proxy.met == list(Fault)


async def test_fifty_at_once_over_a_line_that_loses_every_other_answer(
    flaky: Caller, proxy: Proxy, caller: Caller
) -> None:
    proxy.faults = [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.BUSY, Fault.CUT_ANSWER] * 15

    jobs = await asyncio.gather(*(flaky("submit", "reverse", {"text": str(number)}) for number in range(50)))

    assert {one.id for one in await caller.items("list")} == {job.id for job in jobs}
    assert len({job.id for job in jobs}) == 50


async def test_a_wait_goes_on_over_lost_answers(flaky: Caller, proxy: Proxy, worker: HandWorker) -> None:
    job = await flaky("submit", "reverse", ABC)
    await worker.succeed(job.id, await worker.begin(job.id), "1")
    await flaky.close()
    again = caller_of("async", proxy.url, patience=10)
    proxy.faults = [Fault.LOSE_ANSWER, Fault.GATEWAY, Fault.CUT_ANSWER]

    assert (await again("wait", job.id, 20)).result == 1
    assert len(proxy.met) == 3
    await again.close()


async def test_each_event_comes_once_over_a_line_that_breaks(flaky: Caller, proxy: Proxy, worker: HandWorker) -> None:
    job = await flaky("submit", "reverse", ABC)
    attempt = await worker.begin(job.id)
    await flaky.close()
    again = caller_of("async", proxy.url, patience=20, timeout=0.5)
    proxy.faults = [Fault.LOSE_ANSWER, Fault.CUT_ANSWER, Fault.BUSY, Fault.HANG, Fault.LOSE_REQUEST]
    watching = asyncio.create_task(again.items("events", job.id))
    async with asyncio.timeout(20):
        while proxy.faults:
            await asyncio.sleep(0.01)
    await worker.report(job.id, attempt, 0.5)
    await worker.succeed(job.id, attempt, "1")

    seen = await watching

    assert [one.seq for one in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].data["state"] == "succeeded"
    await again.close()


async def test_what_is_not_safe_twice_is_done_once_and_the_doubt_is_told(
    flaky: Caller, proxy: Proxy, caller: Caller
) -> None:
    job = await caller("submit", "reverse", ABC)
    await caller("cancel", job)
    proxy.faults = [Fault.LOSE_ANSWER]

    with pytest.raises(ConnectionFailed, match="may have been done") as raised:
        await flaky("retry", job)

    assert raised.value.uncertain
    assert (await caller("get", job)).state == "queued"


async def test_a_lost_answer_to_a_cancellation_is_asked_for_again(flaky: Caller, proxy: Proxy, caller: Caller) -> None:
    job = await caller("submit", "reverse", ABC)
    proxy.faults = [Fault.LOSE_ANSWER]

    assert (await flaky("cancel", job)).state == "cancelled"


async def test_a_server_that_stays_busy_is_given_up_with_what_it_says(kind: str, proxy: Proxy) -> None:
    proxy.faults = [Fault.BUSY] * 1000
    caller = caller_of(kind, proxy.url, patience=0.5)

    with pytest.raises(ProblemError) as raised:
        await caller("models")

    assert (raised.value.status, raised.value.code) == (503, "http_503")
    await caller.close()


async def test_a_server_that_is_not_there_is_told_with_its_url(kind: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    caller = caller_of(kind, url, patience=0.1)

    with pytest.raises(ConnectionFailed, match=f"{url} cannot be reached") as raised:
        await caller("models")

    assert not raised.value.uncertain
    await caller.close()
