"""The keys of blobs: `job/attempt/uuid` of what an attempt has written, `uploads/id` of what a client has sent."""

import re
from dataclasses import dataclass
from uuid import UUID, uuid4

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WRITTEN = re.compile(rf"({_UUID})/([1-9][0-9]{{0,9}})/{_UUID}")
_UPLOADED = re.compile(rf"uploads/({_UUID})")


@dataclass(frozen=True, slots=True)
class OfAttempt:
    job_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class OfUpload:
    id: UUID


def new_key(job_id: UUID, attempt: int) -> str:
    """One that nobody else has, whatever became of an earlier try."""
    return f"{job_id}/{attempt}/{uuid4()}"


def parse_key(key: str) -> OfAttempt | OfUpload | None:
    """Whom a blob belongs to; None: it is not one of ours."""
    if match := _WRITTEN.fullmatch(key):
        return OfAttempt(UUID(match[1]), int(match[2]))
    if match := _UPLOADED.fullmatch(key):
        return OfUpload(UUID(match[1]))
    return None
