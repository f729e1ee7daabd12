"""Shows a job while it is waited for."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.client import Client, Job, State
from deploy.command.output import clean, err, say
from deploy.command.session import be_patient

REFRESH = 2.0  # seconds after which a queued job's place is asked for again


class Interrupted(Exception):
    """Ctrl-C while a job was waited for. The text says how to go on."""


def wait_visibly(client: Client, job: Job, timeout: float | None) -> Job:
    """-> the job once it has finished. Raises what `Client.wait` raises, and Interrupted."""
    be_patient(client)
    with going_on(job.id), _Display() as display:
        for seen in client.follow(job, timeout, refresh=REFRESH):
            display.show(seen)
            job = seen
    return job


@contextmanager
def going_on(job_id: str) -> Iterator[None]:
    """Says, at a Ctrl-C, that the job is none the worse for it. Raises Interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"Job {job_id} goes on. To see it: torchrelay watch {job_id}. To stop it: torchrelay cancel {job_id}."
        ) from None


class _Display:
    """A bar on a terminal; elsewhere one line for each state."""

    def __init__(self) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=err(), transient=True, disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("submitted", total=None)
        self._said = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, job: Job) -> None:
        fraction = job.progress.fraction if job.progress and job.state == State.RUNNING else None
        total = None if fraction is None else 1.0
        self._bar.update(self._task, description=describe(job), total=total, completed=fraction or 0.0)
        if self._bar.disable and job.state != self._said:
            say(describe(job))
            self._said = job.state


def describe(job: Job) -> str:
    """In a few words."""
    if job.state == State.QUEUED:
        place = f", number {job.queue_position} in the queue" if job.queue_position else ""
        return f"{job.state}{place}"
    attempt = f" (attempt {job.attempt})" if job.attempt > 1 else ""
    message = f": {clean(job.progress.message)}" if job.progress and job.progress.message else ""
    percent = f" {job.progress.fraction:.0%}" if job.progress and job.state == State.RUNNING else ""
    return f"{job.state}{percent}{attempt}{message}" if not job.finished else f"{job.state}{attempt}"
