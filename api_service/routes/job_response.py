"""Answers that are a job."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Path, Response

from api_service.views import render_job
from shared.errors import UnknownJob
from shared.job import Job, JsonText

JSON = "application/json"


def job_response(
    job: Job,
    status: HTTPStatus,
    headers: Mapping[str, str],
    *,
    queue_position: int | None = None,
    input_text: JsonText | None = None,
) -> Response:
    return Response(render_job(job, queue_position=queue_position, input_text=input_text), status, headers, JSON)


# Kept a string here: what is no UUID is no job's id (404), not a request that does not fit (422).
JobId = Annotated[str, Path(description="As the submission's answer gave it.", json_schema_extra={"format": "uuid"})]


def parse_job_id(text: str) -> UUID:
    """Raises UnknownJob for what cannot be one."""
    try:
        return UUID(text)
    except ValueError:
        raise UnknownJob(f"{text!r} is not a job's id.") from None


def unknown(job_id: UUID | str) -> UnknownJob:
    return UnknownJob(f"There is no job {job_id}.")
