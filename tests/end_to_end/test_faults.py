"""Parts are killed and wiped while jobs are on their way: each is run to one right result."""

import asyncio
import os
import signal
from pathlib import Path
from sys import executable
from typing import Any

import asyncpg
import psutil

from deploy.local.system import LocalSystem
from tests.end_to_end.client import Client
from tests.end_to_end.conftest import SHORT_LEASE, Start

ECHO_ONLY = {**SHORT_LEASE, "MODELS": "echo"}


async def check(client: Client, jobs: dict[str, object], timeout: float) -> None:
    """The checker: each job has ended, once, with the right result for its input."""
    for job_id, value in jobs.items():
        job = await client.finished(job_id, timeout)
        assert (job["state"], job["result"]) == ("succeeded", {"value": value}), job


async def restarted(system: LocalSystem, name: str, old: int) -> None:
    """Waits until the launcher has started another process in the place of the killed one."""
    async with asyncio.timeout(60):
        while not system.processes[name].running or system.processes[name].pid == old:
            await asyncio.sleep(0.05)


async def kill(system: LocalSystem, name: str) -> None:
    pid = system.processes[name].pid
    os.kill(pid, signal.SIGKILL)
    await restarted(system, name, pid)


async def test_a_job_whose_worker_is_killed_finishes(start: Start) -> None:
    async with start(env=ECHO_ONLY) as (system, client):
        job_id = await client.submit("echo", {"value": "survivor", "seconds": 3})
        await client.reaches(job_id, "running")
        await kill(system, "worker-1")
        job = await client.finished(job_id, 90)
        assert (job["state"], job["result"]) == ("succeeded", {"value": "survivor"})
        assert (job["attempt"], job["charged"]) == (2, 0)


async def test_jobs_submitted_while_the_broker_is_away_finish_when_it_is_back_and_empty(start: Start) -> None:
    async with start(env=ECHO_ONLY) as (system, client):
        await system.stop("broker")
        jobs: dict[str, object] = {await client.submit("echo", {"value": number}): number for number in range(50)}
        assert {(await client.get(job_id))["state"] for job_id in jobs} == {"queued"}
        await system.start("broker")
        await check(client, jobs, 60)


async def test_a_frozen_worker_that_thaws_does_not_overwrite_the_new_attempt(start: Start) -> None:
    """Rules 1 and 6: the result of the second attempt stands; the first worker begins a new life and serves on."""
    async with start(env=ECHO_ONLY, workers=2) as (system, client):
        job_id = await client.submit("echo", {"value": "once", "seconds": 3})
        await client.reaches(job_id, "running")
        frozen = await holder_of(system, client, job_id)
        suspend(frozen, signal.SIGSTOP)
        job = await client.finished(job_id, 60)
        assert (job["state"], job["attempt"], job["result"]) == ("succeeded", 2, {"value": "once"})
        suspend(frozen, signal.SIGCONT)
        async with asyncio.timeout(30):  # until it serves again, under another id
            while sum(worker["alive"] for worker in await workers_of(client)) < 2:
                await asyncio.sleep(0.1)
        again = await client.get(job_id)
        assert (again["attempt"], again["finished_at"]) == (2, job["finished_at"])


async def test_work_goes_on_while_the_database_is_away_and_is_settled_when_it_is_back(start: Start) -> None:
    """Rule 7: nobody is declared dead for it, and no attempt is charged."""
    async with start(env=ECHO_ONLY) as (system, client):
        running = await client.submit("echo", {"value": "during", "seconds": 4})
        await client.reaches(running, "running")
        waiting = [await client.submit("echo", {"value": number, "seconds": 0.1}) for number in range(5)]
        await system.stop("postgres")
        assert (await client.http.get("/readyz")).status_code == 503
        await asyncio.sleep(8)  # two leases: long enough to be taken for dead by a clock alone
        await system.start("postgres")
        async with asyncio.timeout(30):
            while (await client.http.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.1)
        job = await client.finished(running, 60)
        assert (job["state"], job["attempt"], job["charged"]) == ("succeeded", 1, 0)
        for job_id in waiting:
            assert (await client.finished(job_id, 60))["charged"] == 0


async def test_sigterm_lets_running_jobs_finish_and_hands_back_what_does_not(start: Start) -> None:
    """Rule 13: the short job finishes, the long one is queued again uncharged, and the worker exits with 0."""
    async with start(env={**SHORT_LEASE, "DRAIN_GRACE": "4"}, workers=0) as (system, client):
        worker = await run_worker(system, "echo")
        await registered(client, "echo")
        short = await client.submit("echo", {"value": "short", "seconds": 2})
        assert (await client.reaches(short, "running"))["attempt"] == 1
        worker.terminate()
        assert (await client.finished(short))["attempt"] == 1
        assert await worker.wait() == 0

        worker = await run_worker(system, "echo")
        long = await client.submit("echo", {"value": "long", "seconds": 300})
        await client.reaches(long, "running", 60)
        waiting = await client.submit("echo", {"value": "waiting"})
        worker.terminate()
        assert await worker.wait() == 0
        job = await client.get(long)
        assert (job["state"], job["attempt"], job["charged"]) == ("queued", 1, 0)
        assert (await client.http.post(f"/v1/jobs/{long}/cancel")).json()["state"] == "cancelled"

        worker = await run_worker(system, "echo")
        assert (await client.finished(waiting, 90))["result"] == {"value": "waiting"}
        worker.terminate()
        assert await worker.wait() == 0


async def test_a_job_that_leaks_fails_and_its_neighbours_do_not(start: Start) -> None:
    """Rule 10: killed with them, it runs alone next, is charged then, and fails at max_attempts with all its history."""
    async with start(env={**ECHO_ONLY, "CHILD_MEMORY_LIMIT": "72MiB"}) as (_, client):
        leaker = await client.submit("echo", {"behave": "leak", "seconds": 300}, max_attempts=2)
        neighbours: dict[str, object] = {
            await client.submit("echo", {"value": number, "seconds": 0.5}): number for number in range(10)
        }
        await check(client, neighbours, 90)
        job = await client.finished(leaker, 90)
        error = job["error"]
        assert (job["state"], error["code"], job["charged"], job["max_attempts"]) == ("failed", "out_of_memory", 2, 2)
        assert "CHILD_MEMORY_LIMIT allows 72 MiB" in error["message"]
        codes = [one["code"] for one in error["attempts"]]
        assert codes == ["out_of_memory"] * len(codes)
        assert [one["attempt"] for one in error["attempts"]] == list(range(1, job["attempt"] + 1))
        for job_id in neighbours:
            assert (await client.get(job_id))["charged"] == 0


async def test_a_process_that_is_replaced_after_every_few_jobs_loses_none(start: Start) -> None:
    async with start(env={**ECHO_ONLY, "CHILD_MAX_JOBS": "5"}) as (_, client):
        jobs: dict[str, object] = {await client.submit("echo", {"value": number}): number for number in range(40)}
        await check(client, jobs, 90)
        for job_id in jobs:
            job = await client.get(job_id)
            assert (job["charged"], job["error"]) == (0, None)


async def test_two_workers_with_different_models_on_one_shared_queue(start: Start, tmp_path: Path) -> None:
    """Rule 5: a job that reaches the wrong worker is put back, uncharged, until the right one gets it."""
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(MODEL.format(cls=name.title(), name=f"shared-{name}"))
    env = {**SHORT_LEASE, "MODELS_DIR": str(tmp_path)}
    async with start(workers=0, env=env) as (system, client):
        workers = [await run_worker(system, models) for models in ("shared-first", "shared-second")]
        try:
            await registered(client, "shared-first", "shared-second")
            jobs = [
                (model, await client.submit(model, {"text": str(number)}))
                for number in range(10)
                for model in ("shared-first", "shared-second")
            ]
            for model, job_id in jobs:
                job = await client.finished(job_id, 60)
                assert (job["state"], job["charged"]) == ("succeeded", 0)
                assert job["result"]["by"] == model
        finally:
            for worker in workers:
                worker.terminate()
            await asyncio.gather(*(worker.wait() for worker in workers))


async def test_a_thousand_jobs_survive_five_killed_workers_and_two_wiped_brokers(start: Start) -> None:
    async with start(env=ECHO_ONLY) as (system, client):
        jobs: dict[str, object] = {}

        async def submit() -> None:
            for number in range(1000):
                jobs[await client.submit("echo", {"value": number, "seconds": 0.01}, max_attempts=10)] = number
                await asyncio.sleep(0.01)

        async def break_things() -> None:
            for number in range(5):
                await kill(system, "worker-1")
                if number % 2:
                    await system.restart_broker()
                async with asyncio.timeout(60):  # until the new worker has taken part
                    done = len(jobs)
                    while len(jobs) < min(1000, done + 50):
                        await asyncio.sleep(0.05)

        await asyncio.gather(submit(), break_things())
        await check(client, jobs, 150)
        assert len(jobs) == 1000


MODEL = """
from ml_service.model import Model, Payload

class {cls}(Model):
    name = "{name}"
    queue = "shared"

    class Input(Payload):
        text: str

    class Output(Payload):
        by: str

    def predict(self, batch, run):
        return [self.Output(by=self.name) for _ in batch]
"""


async def workers_of(client: Client) -> list[dict[str, Any]]:
    return list((await client.http.get("/v1/workers")).json()["workers"])


async def holder_of(system: LocalSystem, client: Client, job_id: str) -> int:
    """The process id of the worker that runs the job: a worker's name ends with it."""
    connection = await asyncpg.connect(system.environment["DATABASE_URL"])
    try:
        name = await connection.fetchval(
            "SELECT workers.name FROM jobs JOIN workers ON workers.id = jobs.worker WHERE jobs.id = $1::uuid", job_id
        )
    finally:
        await connection.close()
    return int(name.rsplit(":", 1)[1])


def suspend(pid: int, how: signal.Signals) -> None:
    """With its children: a machine that freezes leaves none of them running."""
    process = psutil.Process(pid)
    for one in [process, *process.children(recursive=True)]:
        one.send_signal(how)


async def registered(client: Client, *names: str) -> None:
    async with asyncio.timeout(60):
        while not {model["name"] for model in (await client.http.get("/v1/models")).json()["models"]} >= {*names}:
            await asyncio.sleep(0.1)


async def run_worker(system: LocalSystem, models: str) -> asyncio.subprocess.Process:

    return await asyncio.create_subprocess_exec(
        executable, "-m", "ml_service", "run", env={**system.environment, "MODELS": models}
    )
