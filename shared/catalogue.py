"""The models there are, as values: what workers offer, and what the API knows of them without ever importing one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

JsonSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What one version of a model says of itself. Two descriptions of one version must have equal schemas."""

    name: str
    version: int
    description: str
    queue: str
    tasks: tuple[str, ...]
    input_schema: JsonSchema
    output_schema: JsonSchema
    training_schema: JsonSchema | None = None
    example: Mapping[str, Any] | None = None
    queue_ttl: float | None = None  # seconds; None: the system's default, as for the next four
    execution_timeout: float | None = None
    max_attempts: int | None = None
    result_retention: float | None = None
    row_retention: float | None = None
    max_queue_ttl: float | None = None  # the most that a submission may ask for; None: the system's cap alone
    max_execution_timeout: float | None = None
    max_max_attempts: int | None = None


class ModelState(StrEnum):
    """How a model version is served right now."""

    LOADING = "loading"  # a live worker is loading it
    READY = "ready"  # a live worker serves it
    FAILED = "failed"  # live workers have it, and loading failed in all of them
    OFFLINE = "offline"  # no live worker has it


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model version inside one worker. `error` says why it failed to load."""

    name: str
    version: int
    state: ModelState
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueVersion:
    description: ModelDescription
    default: bool
    state: ModelState
    error: str | None  # of loading, where state is failed
    live_workers: int
    metrics: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """All versions of one model, newest first; `default` is the one that a submission without a version gets."""

    name: str
    default: CatalogueVersion
    versions: tuple[CatalogueVersion, ...]


@dataclass(frozen=True, slots=True)
class Worker:
    """One incarnation: one life of one worker process, alive while its lease lasts."""

    id: UUID
    name: str
    device: str
    alive: bool
    started_at: datetime
    heartbeat_at: datetime
    models: tuple[ServedModel, ...] = field(default=())
