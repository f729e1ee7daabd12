"""The worker's settings."""

import sys
from pathlib import Path
from typing import Literal

from pydantic import ByteSize, Field, field_validator

from ml_service.child.outputs import RESULT_LIMIT
from shared.settings import BlobSettings, BrokerSettings, DatabaseSettings, LeaseSettings, LogSettings


class WorkerSettings(DatabaseSettings, BrokerSettings, BlobSettings, LeaseSettings, LogSettings):
    models_dir: Path | None = Field(default=None, description="a folder of *.py files with models of your own")
    model_repository: Path = Field(
        default=Path(".torchrelay/models"), description="where weights lie: REPOSITORY/MODEL/VERSION/"
    )
    models: str = Field(
        default="", description="names of the models that this worker serves, with commas; empty: all there are"
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(default="auto", description="what models compute on")
    torch_threads: int = Field(
        default=0, ge=0, description="threads of each model's process; 0: as many as torch likes, one for each core"
    )
    enable_echo: bool = Field(default=False, description="serve `echo`, which fails on request: for tests only")
    events_per_job: int = Field(
        default=10_000,
        ge=100,
        description="events that a job may have before what its model says is left out: 2 MB in the database, and more "
        "than anybody reads",
    )
    inline_result_limit: int = Field(
        default=1024 * 1024, ge=0, description="bytes that a result may have in its row; a larger one becomes a blob"
    )
    result_limit: int = Field(
        default=RESULT_LIMIT,
        ge=1024,
        le=2**31,
        description="bytes that a result may have at all; while it is taken in, a worker needs some six times as much memory",
    )
    drain_grace: float = Field(
        default=25.0, ge=0, description="seconds that running jobs get at SIGTERM; then they go back to the queue"
    )
    cancel_grace: float = Field(
        default=10.0,
        ge=0,
        description="seconds that a cancelled job gets to stop by itself before its process is killed",
    )
    max_batch_seconds: float = Field(
        default=60.0,
        ge=0,
        description="how long a cancelled job may wait for the rest of its batch before that is killed",
    )
    # No default: what a model needs is known to nobody else, and a guess would kill one that is merely large.
    child_memory_limit: ByteSize = Field(
        default=ByteSize(0),
        description="memory that each model's process may hold, as `6GiB`; one that holds more is killed, and the job that "
        "did it fails with `out_of_memory`; 0: no limit but the machine's (Linux only)",
    )
    # Off: a model that does not leak would load again and again for nothing.
    child_max_jobs: int = Field(
        default=0,
        ge=0,
        description="jobs after which a model's process is replaced by a new one, between two batches, for models that leak; "
        "0: never",
    )

    @field_validator("child_memory_limit")
    @classmethod
    def _can_be_measured(cls, limit: ByteSize) -> ByteSize:
        if limit and sys.platform != "linux":
            raise ValueError("can only be kept to on Linux")
        return limit
