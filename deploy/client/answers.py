"""What the server says, typed. Fields that are not known here are passed over, and newer ones have defaults, so that a newer
server does not break an older client. For the same reason states and codes are text: compare with `State`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINISHED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})


class Progress(Struct, frozen=True, kw_only=True):
    """fraction: 0 to 1."""

    fraction: float
    message: str | None = None


class Attempt(Struct, frozen=True, kw_only=True):
    """One that ended badly."""

    attempt: int
    worker: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    code: str
    message: str = ""


class JobError(Struct, frozen=True, kw_only=True):
    code: str
    message: str = ""
    retryable: bool = False
    attempts: list[Attempt] = []


class Job(Struct, frozen=True, kw_only=True):
    """input: only where it was asked for. result: None while there is none, in lists, and where `result_url` is set."""

    id: str
    state: str
    task: str = "inference"
    model: str = ""
    version: int | None = None
    queue: str = ""
    progress: Progress | None = None
    attempt: int = 0
    charged: int = 0
    max_attempts: int | None = None
    input: Any = None
    result: Any = None
    result_url: str | None = None
    error: JobError | None = None
    metadata: Any = None
    batch_id: str | None = None
    queue_position: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    queue_deadline: datetime | None = None
    purge_at: datetime | None = None

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    @property
    def succeeded(self) -> bool:
        return self.state == State.SUCCEEDED


class JobPage(Struct, frozen=True, kw_only=True):
    jobs: list[Job]
    next_cursor: str | None = None


class Batch(Struct, frozen=True, kw_only=True):
    """jobs: in the order of the submission, with `id` and `state` only."""

    batch_id: str
    jobs: list[Job]


class Event(Struct, frozen=True, kw_only=True):
    """type: `state`, `progress`, `log`, `metrics`, or what newer servers have. seq: per job, without holes."""

    seq: int
    type: str
    at: datetime | None = None
    data: Any = None


class Upload(Struct, frozen=True, kw_only=True):
    id: str
    size: int
    content_type: str | None = None
    sha256: str

    @property
    def reference(self) -> dict[str, str]:
        """What an input says in the place of the file."""
        return {"upload": self.id}


class Version(Struct, frozen=True, kw_only=True):
    version: int
    state: str = ""
    default: bool = False
    metrics: dict[str, Any] | None = None
    live_workers: int = 0
    error: str | None = None


class Model(Struct, frozen=True, kw_only=True):
    """Schemas, example and live workers are those of the default version."""

    name: str
    description: str = ""
    queue: str = ""
    tasks: list[str] = []
    versions: list[Version] = []
    input_schema: dict[str, Any] = {}
    output_schema: dict[str, Any] = {}
    training_schema: dict[str, Any] | None = None
    example: Any = None
    live_workers: int = 0


class ServedModel(Struct, frozen=True, kw_only=True):
    name: str
    version: int
    state: str = ""
    error: str | None = None


class Worker(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    device: str = ""
    alive: bool = False
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    models: list[ServedModel] = []


class Percentiles(Struct, frozen=True, kw_only=True):
    """In seconds; None: of nothing."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class Queue(Struct, frozen=True, kw_only=True):
    """counts: of jobs, by state. oldest_waiting: seconds. waiting, running: how long jobs did lately."""

    queue: str
    counts: dict[str, int] = {}
    oldest_waiting: float | None = None
    done_per_minute: float | None = None
    waiting: Percentiles | None = None
    running: Percentiles | None = None


class Stats(Struct, frozen=True, kw_only=True):
    queues: list[Queue]


class Models(Struct, frozen=True, kw_only=True):
    models: list[Model]


class Workers(Struct, frozen=True, kw_only=True):
    workers: list[Worker]


class Secret(Struct, frozen=True, kw_only=True):
    secret: str


class Try(Struct, frozen=True, kw_only=True):
    """status: of the answer; None: there was none."""

    at: datetime | None = None
    status: int | None = None
    error: str | None = None
    seconds: float | None = None


class Delivery(Struct, frozen=True, kw_only=True):
    """A webhook: an event that somebody is told of."""

    id: str
    event: str
    url: str = ""
    state: str = ""
    tries: list[Try] = []
    next_try_at: datetime | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None


class Deliveries(Struct, frozen=True, kw_only=True):
    deliveries: list[Delivery]


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A message that no worker could read. size: bytes of its data. data: None in lists.

    encoding: `utf-8` where `data` is text, else `base64`.
    """

    id: str
    queue: str = ""
    reason: str = ""
    received_at: datetime | None = None
    size: int = 0
    attributes: dict[str, str] = {}
    data: str | None = None
    encoding: str | None = None


class DeadLetterPage(Struct, frozen=True, kw_only=True):
    dead_letters: list[DeadLetter]
    next_cursor: str | None = None


class Fault(Struct, frozen=True, kw_only=True):
    """path: a JSON Pointer to the place, "" for the whole."""

    path: str = ""
    message: str = ""


class Problem(Struct, frozen=True, kw_only=True):
    """An error (RFC 9457)."""

    status: int
    code: str
    title: str = ""
    detail: str | None = None
    errors: list[Fault] | None = None
