"""Submitting, asking for, listing, cancelling, retrying and deleting jobs."""

import json
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.client.answers import Batch, Job, JobPage
from deploy.client.effects import Answer, Request, Steps, Stream
from deploy.client.errors import InvalidRequest, ProblemError
from deploy.client.interpretation import read_as
from deploy.client.paging import listed
from deploy.client.references import JobRef, path_of
from deploy.client.retrying import Policy, Repeat, call
from deploy.client.waiting import finished_or_latest

JSON = {"Content-Type": "application/json"}


def submit(
    policy: Policy,
    model: str,
    input: Any,  # noqa: A002 - what it is called everywhere
    *,
    version: int | None = None,
    task: str | None = None,
    queue_ttl: float | None = None,
    execution_timeout: float | None = None,
    max_attempts: int | None = None,
    metadata: Any = None,
    webhook: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    wait: float | None = None,
) -> Steps[Job]:
    """Stores a job. -> the job; finished, or as it is after `wait` seconds, if that is given.

    It is sent again until an answer arrives, for as long as the client has patience, and stored once: by
    `idempotency_key`, or a random one. Give your own to be able to repeat it after a crash of yours.
    Raises InvalidRequest, ProblemError, ConnectionFailed.
    """
    fields = {
        "model": model,
        "input": input,
        "version": version,
        "task": task,
        "queue_ttl": queue_ttl,
        "execution_timeout": execution_timeout,
        "max_attempts": max_attempts,
        "metadata": metadata,
        "webhook": webhook,
    }
    body = encoded({name: value for name, value in fields.items() if value is not None or name == "input"})
    headers = {**JSON, "Idempotency-Key": key_of(idempotency_key)}
    if not wait or wait <= 0:
        request = Request("POST", "/v1/jobs", policy.timeout, headers=headers, body=body)
        return read_as(Job, (yield from call(policy, request, Repeat.ALWAYS)))
    deadline = policy.clock() + wait
    seconds = min(policy.poll, math.ceil(wait))
    headers["Prefer"] = f"wait={seconds}"
    request = Request("POST", "/v1/jobs", policy.timeout + seconds, headers=headers, body=body)
    job = read_as(Job, (yield from call(policy, request, Repeat.ALWAYS)))
    return job if job.finished else (yield from finished_or_latest(policy, job, deadline))


def submit_batch(
    policy: Policy, jobs: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
) -> Steps[Batch]:
    """Stores up to 1,000 jobs, all or none. jobs: each with `model`, `input`, and what else `submit` takes.

    Repeated and stored once as `submit`. Raises InvalidRequest, ProblemError (its `errors` say which job), ConnectionFailed.
    """
    body = encoded({"jobs": [dict(job) for job in jobs]})
    headers = {**JSON, "Idempotency-Key": key_of(idempotency_key)}
    request = Request("POST", "/v1/jobs/batch", policy.timeout, headers=headers, body=body)
    return read_as(Batch, (yield from call(policy, request, Repeat.ALWAYS)))


def get(policy: Policy, job: JobRef, *, include_input: bool = False) -> Steps[Job]:
    """The job as it is now. Raises ProblemError (`unknown_job`), ConnectionFailed."""
    query = {"include": "input"} if include_input else {}
    request = Request("GET", path_of(job), policy.timeout, query)
    return read_as(Job, (yield from call(policy, request, Repeat.ALWAYS)))


def cancel(policy: Policy, job: JobRef) -> Steps[Job]:
    """Asks for the job to be stopped. -> it, `cancelled`, or `cancelling` until the work has really stopped.

    May be repeated. Raises ProblemError (`wrong_state` where it has finished otherwise), ConnectionFailed.
    """
    request = Request("POST", f"{path_of(job)}/cancel", policy.timeout)
    return read_as(Job, (yield from call(policy, request, Repeat.ALWAYS)))


def retry(policy: Policy, job: JobRef) -> Steps[Job]:
    """Queues a failed, cancelled or expired job again. Not repeated by itself: it might have run again in between.

    Raises ProblemError (`wrong_state` for any other job), ConnectionFailed.
    """
    request = Request("POST", f"{path_of(job)}/retry", policy.timeout)
    return read_as(Job, (yield from call(policy, request, Repeat.UNDONE)))


def delete(policy: Policy, job: JobRef) -> Steps[None]:
    """Removes a finished job, its files too; nothing is raised where it is gone already.

    Raises ProblemError (`wrong_state` for one that has not finished), ConnectionFailed.
    """
    try:
        yield from call(policy, Request("DELETE", path_of(job), policy.timeout), Repeat.ALWAYS)
    except ProblemError as error:
        # A repeated request finds nothing of what the first has removed.
        if error.code != "unknown_job":
            raise


def list_jobs(
    policy: Policy,
    *,
    state: str | None = None,
    model: str | None = None,
    task: str | None = None,
    batch_id: str | uuid.UUID | None = None,
    limit: int | None = None,
) -> Stream[Job]:
    """Your jobs, newest first, without input and result; pages are fetched as they are needed.

    limit: how many at most. Raises ProblemError, ConnectionFailed.
    """
    wanted = {"state": state, "model": model, "task": task, "batch_id": None if batch_id is None else str(batch_id)}
    return listed(policy, "/v1/jobs", wanted, limit, _page)


def key_of(given: str | None) -> str:
    """A random one where none is given. Raises InvalidRequest for what no header can hold."""
    if given is None:
        return str(uuid.uuid4())
    if not (given.isascii() and given.isprintable()):
        raise InvalidRequest("An idempotency key has 1 to 255 ASCII characters that can be seen.")
    return given


def encoded(value: Any) -> bytes:
    """JSON as the standard has it. Raises InvalidRequest for what is none: NaN, bytes, sets, objects of other kinds."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"This is not JSON: {error}.") from error


def _page(answer: Answer) -> tuple[Sequence[Job], str | None]:
    page = read_as(JobPage, answer)
    return page.jobs, page.next_cursor
