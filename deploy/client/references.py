"""How jobs and models are named in calls."""

from urllib.parse import quote
from uuid import UUID

from deploy.client.answers import Job
from deploy.client.errors import InvalidRequest

JobRef = str | UUID | Job


def id_of(job: JobRef) -> str:
    return job.id if isinstance(job, Job) else str(job)


def path_of(job: JobRef) -> str:
    return f"/v1/jobs/{segment(id_of(job), 'job id')}"


def segment(text: str, what: str) -> str:
    """As a part of a path. Raises InvalidRequest for what would lead elsewhere."""
    if text.strip(".") == "":
        raise InvalidRequest(f"{text!r} is no {what}.")
    return quote(text, safe="")
