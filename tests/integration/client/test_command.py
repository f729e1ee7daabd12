"""The `torchrelay` command as it is called: arguments and stdin in; stdout, stderr and an exit status out."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from io import FileIO
from os import environ
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from api_service.server import Server
from deploy.client import AsyncClient
from deploy.local.ports import free_port
from shared.database.dead_letters import keep_dead_letter
from shared.database.pool import Database
from shared.message import JobMessage
from tests.integration.api.worker import HandWorker

ABC = ("--input", "text=abc")


@dataclass
class Ended:
    status: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """What a table says, however wide it is."""
        return " ".join(self.out.split())

    @property
    def json(self) -> Any:
        (line,) = self.out.splitlines()
        return json.loads(line)


Start = Callable[..., Awaitable[asyncio.subprocess.Process]]
Run = Callable[..., Awaitable[Ended]]


@pytest.fixture
def start(one: Server) -> Start:
    async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        variables = {**environ, "TORCHRELAY_URL": one.url, **environment}
        command = (sys.executable, "-m", "deploy.command", *arguments)
        return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=variables)

    return start


@pytest.fixture
def run(start: Start) -> Run:
    async def run(*arguments: str, stdin: str = "", **environment: str) -> Ended:
        return await ended(await start(*arguments, **environment), stdin)

    return run


@pytest.fixture
async def client(one: Server) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(one.url) as client:
        yield client


async def ended(process: asyncio.subprocess.Process, stdin: str = "") -> Ended:
    out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def test_submitting_prints_the_id_and_says_how_to_go_on(run: Run, client: AsyncClient) -> None:
    done = await run("submit", "reverse", *ABC, "-i", "numbers=1", "-i", "numbers=2.5", "--metadata", '{"page": 1}')

    assert done.status == 0, done.err
    job = await client.get(done.out.strip(), include_input=True)
    assert (job.input, job.metadata) == ({"text": "abc", "numbers": [1, 2.5]}, {"page": 1})
    assert f"torchrelay watch {job.id}" in done.err
    assert "No worker serves it now" in done.err


async def test_a_whole_input_comes_from_a_file_or_stdin(run: Run, client: AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"text": "from a file"}')

    by_stdin = await run("submit", "anything", "--input-file", "-", "--json", stdin="[1, 2]")
    by_file = await run("submit", "reverse", "--input-file", str(tmp_path / "input.json"), "-i", "numbers=1", "--json")

    assert (await client.get(by_stdin.json["id"], include_input=True)).input == [1, 2]
    assert (await client.get(by_file.json["id"], include_input=True)).input == {"text": "from a file", "numbers": [1]}


async def test_a_small_file_goes_inside_the_input(run: Run, client: AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG")

    done = await run("submit", "anything", "--file", f"image=@{tmp_path / 'x.png'}", "--json")

    found = await client.get(done.json["id"], include_input=True)
    assert found.input == {"image": {"data": "data:image/png;base64,iVBORw=="}}


async def test_waiting_prints_the_result(start: Start, client: AsyncClient, worker: HandWorker) -> None:
    process = await start("submit", "reverse", *ABC, "--wait")
    job_id = await submitted(client)
    attempt = await worker.begin(job_id)
    await worker.succeed(job_id, attempt, '{"text": "cba"}')

    done = await ended(process)

    assert (done.status, done.json) == (0, {"text": "cba"})
    assert done.err.splitlines()[-1] == "succeeded"


async def test_on_a_terminal_a_bar_shows_the_progress(one: Server, client: AsyncClient, worker: HandWorker) -> None:
    terminal, theirs = os.openpty()
    command = (sys.executable, "-m", "deploy.command", "submit", "reverse", *ABC, "--wait")
    variables = {**environ, "TORCHRELAY_URL": one.url, "TERM": "xterm", "COLUMNS": "100"}
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=theirs, env=variables
    )
    os.close(theirs)
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        await shown(screen, "queued, number 1 in the queue")
        job_id = await submitted(client)
        attempt = await worker.begin(job_id)
        await worker.report(job_id, attempt, 0.5)
        await shown(screen, "running 50% ━")
        await worker.succeed(job_id, attempt, "1")
        out, _ = await process.communicate()

    assert (process.returncode, out) == (0, b"1\n")


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_job_that_fails_is_status_1(
    start: Start, client: AsyncClient, worker: HandWorker, *, as_json: bool
) -> None:
    process = await start("submit", "reverse", *ABC, "--wait", *(["--json"] if as_json else []))
    job_id = await submitted(client)
    await worker.fail(job_id, await worker.begin(job_id))

    done = await ended(process)

    assert done.status == 1
    assert (
        done.err.splitlines()[-1]
        == f"error: Job {job_id} is failed: not good (invalid_input). To queue it again: retry."
    )
    if as_json:
        assert done.json["error"]["code"] == "invalid_input"
    else:
        assert not done.out


async def test_ctrl_c_leaves_the_job_and_says_how_to_go_on(start: Start, client: AsyncClient) -> None:
    process = await start("submit", "reverse", *ABC, "--wait")
    job_id = await submitted(client)
    assert process.stderr is not None
    assert await process.stderr.readline() == b"queued, number 1 in the queue\n"

    process.send_signal(signal.SIGINT)
    done = await ended(process)

    assert done.status == 130
    assert done.err == (
        f"Job {job_id} goes on. To see it: torchrelay watch {job_id}. To stop it: torchrelay cancel {job_id}.\n"
    )
    assert (await client.get(job_id)).state == "queued"


async def test_a_timeout_is_status_5(run: Run) -> None:
    done = await run("submit", "reverse", *ABC, "--wait", "--timeout", "0.5")

    assert done.status == 5
    assert "has not finished in the time given" in done.err


async def test_jobs_are_shown_listed_cancelled_and_queued_again(run: Run, client: AsyncClient) -> None:
    job = await client.submit("reverse", {"text": "abc"}, metadata={"page": 1})

    shown, cancelled = await run("get", job.id), await run("cancel", job.id, "--json")
    listed = await run("list", "--state", "cancelled", "--model", "reverse")
    none = await run("list", "--state", "running")
    retried, again = await run("retry", job.id), await run("retry", job.id)
    as_json = await run("list", "--json")

    assert shown.status == 0
    assert job.id in shown.out
    assert '{"page": 1}' in shown.out
    assert cancelled.json["state"] == "cancelled"
    assert f"{job.id} reverse 1 cancelled" in listed.words
    assert (none.out, none.err) == ("", "There is no such job.\n")
    assert retried.err == f"Job {job.id} is queued.\n"
    assert (again.status, again.err.count("\n")) == (4, 1)
    assert as_json.json["id"] == job.id


async def test_results_are_printed_or_saved(run: Run, client: AsyncClient, worker: HandWorker, tmp_path: Path) -> None:
    job = await client.submit("reverse", {"text": "abc"})
    early = await run("result", job.id)
    await worker.succeed(job.id, await worker.begin(job.id), '{"text": "größer"}')
    target = tmp_path / "result.json"

    printed, saved = await run("result", job.id), await run("result", job.id, "-o", str(target))
    nowhere = await run("result", job.id, "-o", str(tmp_path / "no" / "folder"))

    assert early.status == 4
    assert printed.json == {"text": "größer"}
    assert (saved.status, saved.err) == (0, f"{target}: 20 bytes\n")
    assert target.read_text() == '{"text": "größer"}'
    assert (nowhere.status, "Traceback" in nowhere.err) == (2, False)


async def test_models_and_workers_are_shown(run: Run, worker: HandWorker) -> None:
    listed, one, as_json = await run("models"), await run("models", "reverse"), await run("models", "--json")
    alive = await run("workers")

    assert "Turns a text around." in listed.out
    assert "text string yes numbers array" in one.words
    assert """torchrelay submit reverse --input 'text:="abc"' --wait""" in one.out
    assert [json.loads(line)["name"] for line in as_json.out.splitlines()] == ["anything", "pictures", "reverse"]
    assert "by hand alive cpu reverse 1 (ready)" in alive.words


async def test_queues_are_shown(run: Run, client: AsyncClient) -> None:
    await client.submit("reverse", {"text": "abc"})

    shown, as_json = await run("stats"), await run("stats", "--json")

    assert "reverse 1 0 0 0" in shown.words
    assert {queue["queue"] for queue in as_json.json["queues"]} == {"anything", "pictures", "reverse"}


async def test_dead_letters_are_seen_to(run: Run, client: AsyncClient, db: Database) -> None:
    none = await run("dead-letters", "list")
    job = await client.submit("reverse", {"text": "abc"})
    data, attributes = JobMessage(UUID(job.id), 1, "reverse", "inference").encode()
    readable, unreadable = str(uuid4()), str(uuid4())
    await keep_dead_letter(db, UUID(readable), "reverse", data, attributes, "version 1")
    await keep_dead_letter(db, UUID(unreadable), "anything", b"\x1b[2J{", {"from": "elsewhere"}, "no JSON")

    listed, one = await run("dead-letters", "list"), await run("dead-letters", "list", "--queue", "reverse", "--json")
    shown, as_json = (
        await run("dead-letters", "inspect", unreadable),
        await run("dead-letters", "inspect", unreadable, "--json"),
    )
    refused, redriven = await run("dead-letters", "redrive", unreadable), await run("dead-letters", "redrive", readable)
    deleted = await run("dead-letters", "delete", unreadable)
    again = await run("dead-letters", "delete", unreadable, "--json")

    assert (none.out, none.err) == ("", "There is no dead letter.\n")
    assert f"{unreadable} anything" in listed.words
    assert f"{readable} reverse" in listed.words
    assert (one.json["id"], one.json["size"]) == (readable, len(data))
    assert "reason no JSON" in shown.words
    assert "attribute from elsewhere" in shown.words
    assert "data: \N{REPLACEMENT CHARACTER}[2J{" in shown.words
    assert (as_json.json["data"], as_json.json["encoding"]) == ("\x1b[2J{", "utf-8")
    assert (refused.status, refused.err.count("\n")) == (4, 1)
    assert "not JSON" in refused.err
    assert (redriven.status, f"Job {job.id} is published anew" in redriven.err) == (0, True)
    assert deleted.err == f"Dead letter {unreadable} is deleted.\n"
    assert again.json == {"id": unreadable, "deleted": True}


async def test_events_are_shown_as_they_happen(start: Start, client: AsyncClient, worker: HandWorker) -> None:
    job = await client.submit("reverse", {"text": "abc"})
    process, as_json = await start("watch", job.id), await start("watch", job.id, "--json")
    assert process.stdout is not None
    assert (await process.stdout.readline()).endswith(b" state     queued\n")
    attempt = await worker.begin(job.id)
    await worker.say(job.id, attempt, "hello")
    await worker.succeed(job.id, attempt, "1")

    done, documents = await ended(process), await ended(as_json)

    assert done.status == 0
    assert [line.split(maxsplit=1)[1] for line in done.out.splitlines()] == [
        "state     running",
        "log       hello",
        "state     succeeded",
    ]
    assert [json.loads(line)["type"] for line in documents.out.splitlines()] == ["state", "state", "log", "state"]


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["get", "nothing"], 4, "'nothing' is not a job's id"),
        (["models", "nothing"], 4, "unknown_model"),
        (["submit", "nothing"], 4, "unknown_model"),
        (["submit", "reverse"], 4, "/input: "),
        (["submit", "reverse", "-i", "colour=red"], 2, "no field 'colour': it has text, numbers"),
        (["submit", "reverse", "-f", "text=@no/such/file"], 2, "no/such/file cannot be read"),
        (["submit", "anything", "--input-file", "-", "-i", "a=1"], 2, "--input and --file are fields of an object"),
        (["submit", "reverse", *ABC, "--metadata", "{"], 2, "--metadata: '{' is not JSON"),
        (["submit", "reverse", *ABC, "--idempotency-key", "ö"], 2, "idempotency key"),
        (["--url", "nowhere", "models"], 2, "must begin with http"),
        (["--api-key", "a b\nc", "models"], 2, "API key"),
    ],
)
async def test_what_goes_wrong_is_one_sentence_and_a_status(
    run: Run, arguments: list[str], status: int, text: str
) -> None:
    done = await run(*arguments, stdin="[]")

    assert (done.status, done.out) == (status, ""), done.err
    assert done.err.startswith("error: ")
    assert text in done.err
    assert done.err.count("\n") == 1


async def test_a_command_that_there_is_not_is_status_2(run: Run) -> None:
    assert (await run("get")).status == 2
    assert (await run("nothing")).status == 2


async def test_a_server_that_is_not_there_is_status_3(run: Run) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    done = await run("models", TORCHRELAY_URL=url)

    assert done.status == 3
    assert f"{url} cannot be reached" in done.err


async def test_the_version_is_told(run: Run) -> None:
    assert (await run("--version")).out.startswith("torchrelay 0.")


async def test_nothing_of_the_server_is_loaded_for_it() -> None:
    code = "import sys, deploy.command.run as _; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()

    assert not {"shared", "api_service", "ml_service", "sqlalchemy", "asyncpg", "pydantic", "torch"} & set(
        out.decode().split()
    )


async def submitted(client: AsyncClient) -> str:
    """The id of the one job, once there is one."""
    async with asyncio.timeout(20):
        while True:
            async for job in client.list(limit=1):
                return job.id
            await asyncio.sleep(0.02)


async def shown(screen: FileIO, text: str) -> None:
    """Until it is on the screen."""
    seen = b""
    async with asyncio.timeout(20):
        while text not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode(errors="ignore")):
            seen += await asyncio.to_thread(screen.read, 4096) or b""
