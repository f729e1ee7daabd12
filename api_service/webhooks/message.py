"""What a webhook is sent: the event, when it happened, and the job just as it was then."""

from datetime import datetime

import msgspec

from api_service.views import render_job
from shared.job import Job


class Message(msgspec.Struct, frozen=True):
    """timestamp: when the job ended, in RFC 3339."""

    type: str
    timestamp: datetime
    data: msgspec.Raw


_encode = msgspec.json.Encoder().encode


def render_message(event: str, job: Job) -> bytes:
    """The same bytes in every try."""
    return _encode(Message(event, job.finished_at or job.created_at, msgspec.Raw(render_job(job))))
