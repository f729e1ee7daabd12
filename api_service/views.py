"""A job as clients see it. Built once as bytes; input, result and metadata are the very JSON text that was stored."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from shared.job import Job, JobError, JsonText, Progress
from shared.states import JobState, Task

Time = Annotated[datetime, Meta(tz=True)]


class JobUrls(msgspec.Struct, frozen=True):
    self: str
    result: str
    cancel: str
    retry: str
    events: str


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job. Times are RFC 3339, in UTC."""

    id: UUID
    task: Task
    model: str
    version: Annotated[int, Meta(description="Resolved when the job was submitted.")]
    state: JobState
    queue: str
    progress: Progress | None
    attempt: Annotated[int, Meta(description="How often a worker has claimed it. Only ever grows.")]
    charged: Annotated[int, Meta(description="How many attempts ended badly by the job's own doing.")]
    max_attempts: Annotated[int, Meta(description="The limit of `charged`.")]
    input: Annotated[Raw | UnsetType, Meta(description="Only with `?include=input`.")] = UNSET
    result: Annotated[Raw | UnsetType | None, Meta(description="The model's output. Not in lists.")] = UNSET
    result_url: Annotated[str | None, Meta(description="Where a result is that is too large to stand here.")]
    error: Annotated[JobError | None, Meta(description="Why it failed, with the attempts that ended badly.")]
    metadata: Annotated[Raw | None, Meta(description="As it was submitted.")]
    batch_id: UUID | None
    queue_position: Annotated[int | None, Meta(description="An estimate, 1 is next; null beyond 1,000.")]
    created_at: Time
    started_at: Annotated[Time | None, Meta(description="When the model was given the latest attempt.")]
    finished_at: Time | None
    queue_deadline: Annotated[Time, Meta(description="Still queued then, it expires.")]
    purge_at: Time | None
    urls: JobUrls


class JobPage(msgspec.Struct, frozen=True):
    """Newest first, without inputs and results. `next_cursor` is null on the last page."""

    jobs: list[JobView]
    next_cursor: str | None


class BatchedJob(msgspec.Struct, frozen=True):
    id: UUID
    state: JobState
    urls: JobUrls


class BatchView(msgspec.Struct, frozen=True):
    """What was submitted together, in the order of its submission."""

    batch_id: UUID
    jobs: list[BatchedJob]


_encode = msgspec.json.Encoder().encode


def render_job(job: Job, *, queue_position: int | None = None, input_text: JsonText | None = None) -> bytes:
    """The job with its result; with its input, where that is given."""
    return _encode(_view(job, _raw(job.result), queue_position, UNSET if input_text is None else Raw(input_text)))


def render_page(jobs: list[Job], next_cursor: str | None) -> bytes:
    return _encode(JobPage([_view(job, UNSET) for job in jobs], next_cursor))


def render_batch(batch_id: UUID, jobs: list[Job]) -> bytes:
    return _encode(BatchView(batch_id, [BatchedJob(job.id, job.state, _urls(job.id)) for job in jobs]))


def job_url(job_id: UUID) -> str:
    return f"/v1/jobs/{job_id}"


def _raw(text: JsonText | None) -> Raw | None:
    return None if text is None else Raw(text)


def _view(
    job: Job,
    result: Raw | UnsetType | None,
    queue_position: int | None = None,
    input_text: Raw | UnsetType = UNSET,
) -> JobView:
    return JobView(
        id=job.id,
        task=job.task,
        model=job.model,
        version=job.version,
        state=job.state,
        queue=job.queue,
        progress=job.progress,
        attempt=job.attempt,
        charged=job.charged,
        max_attempts=job.max_attempts,
        input=input_text,
        result=result,
        result_url=f"{job_url(job.id)}/result" if job.result_key else None,
        error=job.error,
        metadata=_raw(job.metadata),
        batch_id=job.batch_id,
        queue_position=queue_position,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        queue_deadline=job.queue_deadline,
        purge_at=job.purge_at,
        urls=_urls(job.id),
    )


def _urls(job_id: UUID) -> JobUrls:
    url = job_url(job_id)
    return JobUrls(url, f"{url}/result", f"{url}/cancel", f"{url}/retry", f"{url}/events")
