"""Results: as values, or into files where they are large."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from deploy.client.answers import Job, State
from deploy.client.effects import Answer, Broken, Request, Steps, do, read, sleep
from deploy.client.errors import ConnectionFailed, JobFailed, WaitTimedOut
from deploy.client.interpretation import read_json
from deploy.client.jobs import submit
from deploy.client.references import JobRef, path_of
from deploy.client.retrying import Policy, Repeat, call, pause_before, start_reading
from deploy.client.waiting import wait as wait_for

# The API's `ETag` of a result. What stands between may make it another one, which then says nothing of the bytes.
_SHA256 = re.compile(r'"([0-9a-f]{64})"')
_DAMAGED = Broken("The result that came is not the one that its SHA-256 names", sent=True)

T = TypeVar("T")


def result(policy: Policy, job: JobRef) -> Steps[Any]:
    """The bare result of a job that has succeeded, however large; as JSON reads it.

    Raises ProblemError (`wrong_state` where it has none, or none yet; `result_gone` once it is purged), ConnectionFailed.
    """
    request = Request("GET", f"{path_of(job)}/result", policy.timeout)

    def attempt() -> Steps[Answer | Broken]:
        answer = yield from call(policy, request, Repeat.ALWAYS)
        return _DAMAGED if _is_damaged(answer.headers, hashlib.sha256(answer.body).hexdigest()) else answer

    return read_json((yield from _until_whole(policy, attempt)))


def save_result(policy: Policy, job: JobRef, to: str | os.PathLike[str]) -> Steps[int]:
    """Writes the result into a file, piece by piece. -> its size in bytes.

    The file is there only once it is whole, by its SHA-256. A transfer that breaks off begins anew. Raises as `result`, and
    OSError.
    """
    request = Request("GET", f"{path_of(job)}/result", policy.timeout, headers={"Accept-Encoding": "identity"})

    def attempt() -> Steps[int | Broken]:
        answer = yield from start_reading(policy, request)
        return (yield from _written(Path(to), answer.headers))

    return (yield from _until_whole(policy, attempt))


def run(
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
    timeout: float | None = None,
) -> Steps[Any]:
    """Submits a job, waits until it has finished, and returns its result. timeout: seconds for all of it; None: for ever.

    Raises JobFailed where it ends without a result, WaitTimedOut (the job goes on), and what `submit` and `wait` raise.
    """
    deadline = None if timeout is None else policy.clock() + timeout
    job = yield from submit(
        policy,
        model,
        input,
        version=version,
        task=task,
        queue_ttl=queue_ttl,
        execution_timeout=execution_timeout,
        max_attempts=max_attempts,
        metadata=metadata,
        webhook=webhook,
        idempotency_key=idempotency_key,
        wait=policy.poll if timeout is None else min(policy.poll, timeout),
    )
    if not job.finished:
        if deadline is not None and policy.clock() >= deadline:
            raise WaitTimedOut(job.id, job)
        job = yield from wait_for(policy, job, None if deadline is None else deadline - policy.clock())
    return (yield from result_of(policy, job))


def result_of(policy: Policy, job: Job) -> Steps[Any]:
    """Of a job that has finished; it is fetched only where it does not stand in it. Raises JobFailed, and as `result`."""
    if job.state != State.SUCCEEDED:
        raise JobFailed(job)
    return job.result if job.result is not None else (yield from result(policy, job))


def _until_whole(policy: Policy, attempt: Callable[[], Steps[T | Broken]]) -> Steps[T]:
    """Raises ConnectionFailed."""
    failures, deadline = 0, 0.0
    while True:
        got = yield from attempt()
        if not isinstance(got, Broken):
            return got
        failures += 1
        deadline = policy.clock() + policy.patience if failures == 1 else deadline
        pause = pause_before(failures, got, policy)
        if policy.clock() + pause > deadline:
            raise ConnectionFailed(f"{got.reason}, again and again ({failures} times).", uncertain=False)
        yield from sleep(pause)


def _written(target: Path, headers: Mapping[str, str]) -> Steps[int | Broken]:
    """Beside the file first: a half one never has its name."""
    announced = headers.get("content-length", "")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    part, digest = Path(name), hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as file:
            size = yield from _copied(file, digest.update)
        if isinstance(size, Broken):
            return size
        if announced.isdigit() and int(announced) != size:
            return Broken("The result was cut off", sent=True)
        if _is_damaged(headers, digest.hexdigest()):
            return _DAMAGED
        part.chmod(0o666 & ~_umask())
        part.replace(target)
        return size
    finally:
        part.unlink(missing_ok=True)


def _copied(file: BinaryIO, note: Callable[[bytes], None]) -> Steps[int | Broken]:
    """note: called with what the file gets."""

    def take(piece: bytes) -> None:
        file.write(piece)
        note(piece)

    size = 0
    while True:
        piece = yield from read()
        if isinstance(piece, Broken):
            return piece
        if not piece:
            return size
        yield from do(partial(take, piece))
        size += len(piece)


def _is_damaged(headers: Mapping[str, str], digest: str) -> bool:
    named = _SHA256.fullmatch(headers.get("etag", ""))
    return named is not None and named[1] != digest


def _umask() -> int:
    """It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
