"""The subcommands about jobs that there are."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.client import Job, State
from deploy.command.output import ago, lasting, say, show_fields, show_json, show_table, write, write_json
from deploy.command.progress import describe
from deploy.command.session import JobId, Json, be_patient, client_of
from deploy.command.telling import line_of


def get(
    context: typer.Context,
    job_id: JobId,
    with_input: Annotated[bool, typer.Option("--input", help="With the input that was submitted.")] = False,
    as_json: Json = False,
) -> None:
    """Show a job as it is now."""
    with client_of(context) as client:
        job = client.get(job_id, include_input=with_input)
    if as_json:
        write_json(job)
        return
    show_fields(_fields(job))
    for name, value in (("metadata", job.metadata), ("input", job.input), ("result", job.result)):
        if value is not None:
            write(f"{name}:")
            show_json(value)


def result(
    context: typer.Context,
    job_id: JobId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it into this file.")] = None,
    as_json: Json = False,
) -> None:
    """Print the result of a job that has succeeded."""
    with client_of(context) as client:
        if output is not None:
            size = client.save_result(job_id, output)
            say(f"{output}: {size:,} bytes")
        elif as_json:
            write_json(client.result(job_id))
        else:
            show_json(client.result(job_id))


def watch(
    context: typer.Context,
    job_id: JobId,
    after: Annotated[int, typer.Option(min=0, help="Only events after this number.")] = 0,
    as_json: Json = False,
) -> None:
    """Show what happens to a job as it happens, until it has finished."""
    with client_of(context) as client:
        be_patient(client)
        for event in client.events(job_id, after=after):
            if as_json:
                write_json(event)
            else:
                write(line_of(event))


def list_jobs(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only jobs in this state.")] = None,
    model: Annotated[str | None, typer.Option(help="Only jobs of this model.")] = None,
    task: Annotated[str | None, typer.Option(help="Only jobs of this task.")] = None,
    batch: Annotated[str | None, typer.Option(metavar="ID", help="Only jobs that were submitted together.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    with client_of(context) as client:
        found = client.list(state=state, model=model, task=task, batch_id=batch, limit=limit)
        if as_json:
            for job in found:
                write_json(job)
            return
        rows = [
            (job.id, f"{job.model} {job.version}", describe(job), _age(job), _took(job), _why(job)) for job in found
        ]
    show_table(["ID", "MODEL", "STATE", "AGE", "TOOK", "ERROR"], rows, "There is no such job.")


def cancel(context: typer.Context, job_id: JobId, as_json: Json = False) -> None:
    """Cancel a job: at once while it waits, as soon as its work has stopped while it runs."""
    with client_of(context) as client:
        _moved(client.cancel(job_id), as_json=as_json)


def retry(context: typer.Context, job_id: JobId, as_json: Json = False) -> None:
    """Queue a failed, cancelled or expired job again."""
    with client_of(context) as client:
        _moved(client.retry(job_id), as_json=as_json)


def delete(context: typer.Context, job_id: JobId, as_json: Json = False) -> None:
    """Delete a finished job, with its files."""
    with client_of(context) as client:
        client.delete(job_id)
    if as_json:
        write_json({"id": job_id, "deleted": True})
    else:
        say(f"Job {job_id} is deleted.")


def _moved(job: Job, *, as_json: bool) -> None:
    if as_json:
        write_json(job)
    else:
        say(f"Job {job.id} is {job.state}.")


def _fields(job: Job) -> Iterator[tuple[str, str | int | None]]:
    yield "job", job.id
    yield "model", f"{job.model} version {job.version}" + (f", {job.task}" if job.task != "inference" else "")
    yield "state", describe(job)
    yield "submitted", ago(job.created_at)
    yield "ran" if job.finished else "runs", _took(job)
    yield "attempts", f"{job.attempt}, {job.charged} of {job.max_attempts} ended badly" if job.charged else job.attempt
    yield "batch", job.batch_id
    yield "result at", job.result_url
    if job.error:
        yield "error", f"{job.error.code}: {job.error.message}"
        for attempt in job.error.attempts:
            yield f"attempt {attempt.attempt}", f"{attempt.code}: {attempt.message}"


def _age(job: Job) -> str:
    return "" if job.created_at is None else lasting(datetime.now(UTC) - job.created_at)


def _took(job: Job) -> str:
    return "" if job.started_at is None else lasting((job.finished_at or datetime.now(UTC)) - job.started_at)


def _why(job: Job) -> str:
    return job.error.code if job.error else ""
