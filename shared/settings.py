"""Settings that both services have, each read from the environment variable of its name. Only composition roots read them."""

from typing import Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import InvalidSettings


class Settings(BaseSettings):
    """Base: an empty variable counts as unset; a value that does not fit stops the process with its name."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)


_Kind = TypeVar("_Kind", bound=Settings)


def read_settings(kind: type[_Kind]) -> _Kind:
    """From the environment and `.env`. Raises InvalidSettings."""
    try:
        return kind()
    except ValidationError as error:
        raise InvalidSettings("\n".join(_described(error))) from None


def _described(error: ValidationError) -> list[str]:
    return [
        ": ".join([*(str(part).upper() for part in one["loc"]), one["msg"].removeprefix("Value error, ")])
        for one in error.errors()
    ]


class LogSettings(Settings):
    log_format: Literal["console", "json"] = Field(
        default="console", description="`console` for people, `json` (one object a line) for log collectors"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="the least serious level that is written"
    )


class FailpointSettings(Settings):
    failpoint: str = Field(
        default="",
        description="where the process kills itself, as `worker.claimed` or `worker.claimed:3` for the third time: for tests "
        "only (`shared/failpoints.py`)",
    )


class DatabaseSettings(Settings):
    database_url: str = Field(
        default="postgresql://postgres@127.0.0.1:5432/torchrelay", description="the Postgres that holds everything"
    )
    database_pool: int = Field(
        default=8, ge=2, le=100, description="connections of one process; all processes together must fit the server"
    )
    database_patience: float = Field(
        default=60.0, gt=0, description="seconds to wait at start for a database that is not there yet"
    )


class BrokerSettings(Settings):
    pubsub_project: str = Field(
        default="torchrelay", description="the Google Cloud project of topics and subscriptions"
    )
    pubsub_emulator_host: str | None = Field(
        default=None, description="host:port of an emulator; unset: the real Pub/Sub with default credentials"
    )
    pubsub_provision: bool = Field(
        default=True, description="make missing topics and subscriptions; off where Terraform does it"
    )
    pubsub_pull_seconds: float = Field(
        default=10.0, gt=0, le=60, description="how long a pull waits for messages; a worker's stop waits for it"
    )
    queue_prefix: str = Field(default="", description="put before every topic's name, to share a project")


class BlobSettings(Settings):
    """API and workers must see the same blobs."""

    blob_url: str = Field(
        default=".torchrelay/blobs", description="a folder that all processes share, or `gs://bucket/prefix`"
    )
    upload_limit: int = Field(
        default=100 * 1024 * 1024,
        ge=1,
        description="bytes that an upload may have; no worker reads a larger file into its memory",
    )


class LeaseSettings(Settings):
    """How the death of a worker is noticed. All processes must agree."""

    lease_seconds: float = Field(
        default=30.0, ge=1, description="a worker that has not been heard of for this long is dead (rule 6)"
    )
    heartbeat_seconds: float = Field(
        default=5.0,
        gt=0,
        description="how often a worker says that it lives, a third of the lease at most: two may fail before that is over",
    )

    @model_validator(mode="after")
    def _outlives_what_fails(self) -> Self:
        """A worker whose lease is over before it beats again would be declared dead for ever."""
        if self.heartbeat_seconds * 3 > self.lease_seconds:
            raise ValueError(
                f"HEARTBEAT_SECONDS={self.heartbeat_seconds:g} is too long for LEASE_SECONDS={self.lease_seconds:g}: "
                f"at most a third of it, so that two heartbeats may fail before a worker counts as dead"
            )
        return self
