"""A job as a value: what a row of `jobs` says at one moment. Frozen; a newer one replaces it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from shared.states import ErrorCode, JobState, Task

# A JSON document as text, exactly as it was sent: inputs and results are carried, never parsed on the way.
JsonText = str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that ended badly, as `error.attempts` shows it. Times are RFC 3339."""

    attempt: int
    worker: str | None
    started_at: str | None  # None: it never reached the model
    ended_at: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class JobError:
    code: ErrorCode
    message: str
    retryable: bool  # whether trying again could help
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    fraction: float  # 0 to 1
    message: str | None = None


class Job(Struct, frozen=True):
    id: UUID
    owner: str
    task: Task
    model: str
    version: int
    state: JobState
    queue: str
    progress: Progress | None
    attempt: int  # of the latest claim; only ever grows
    charged: int  # bad ends that were this job's own doing; limited by max_attempts
    max_attempts: int
    result: JsonText | None  # None, too, where it is a blob
    error: JobError | None
    metadata: JsonText | None
    batch_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    queue_deadline: datetime
    purge_at: datetime | None
    revision: int  # one more with every visible change; the ETag
    # A result that is too large to stand in the row: the blob's key, its bytes, and their hash.
    result_key: str | None = None
    result_size: int | None = None
    result_sha256: str | None = None


# What may be said of a job at most, in a setting or a model's class.
LONGEST = 100 * 365 * 86400.0  # seconds: within what the database has intervals for
MOST_ATTEMPTS = 1000  # each that ends badly stands in the row


class NewJob(Struct, frozen=True):
    """What a submission becomes: everything decided but the clock, which is the database's."""

    id: UUID
    owner: str
    task: Task
    model: str
    version: int
    queue: str
    input: JsonText
    metadata: JsonText | None
    queue_ttl: float  # seconds
    execution_timeout: float  # seconds
    max_attempts: int
    traceparent: str | None = None
    batch_id: UUID | None = None
    webhook: JsonText | None = None  # {url, events}
    idempotency_key: str | None = None  # the route and the client's key
    idempotency_hash: str | None = None  # SHA-256 of the body's JSON with sorted keys
    uploads: tuple[UUID, ...] = ()  # that its input refers to
    result_retention: float = 7 * 86400.0  # seconds after its end, as the next
    row_retention: float = 30 * 86400.0
