"""What can be set for the API, each from the environment variable of its name."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from api_service.authentication.settings import OidcSettings
from api_service.quotas.settings import QuotaSettings
from api_service.webhooks.settings import WebhookSettings
from shared.job import LONGEST, MOST_ATTEMPTS
from shared.settings import BlobSettings

KIB = 1024
MIB = 1024 * KIB
MINUTE = 60.0
DAY = 24 * 60 * MINUTE


class ApiSettings(BlobSettings, WebhookSettings, OidcSettings, QuotaSettings):
    """Sizes in bytes, times in seconds."""

    api_host: str = Field(default="127.0.0.1", description="the address to listen on")
    api_port: int = Field(default=8000, ge=0, le=65535, description="the port to listen on; 0: any free one")
    allow_unauthenticated: bool | None = Field(
        default=None,
        description="true: nobody has to say who they are, and is the owner `local`; false: everybody has to; unset: only "
        "while API_HOST is this machine alone, nobody has to",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="names besides localhost that requests may come for, separated by commas; `*.name` too"
    )
    inline_input_limit: int = Field(default=1 * MIB, ge=1, description="bytes that a submission's `input` may have")
    metadata_limit: int = Field(default=16 * KIB, ge=2, description="bytes that a submission's `metadata` may have")
    default_queue_ttl: float = Field(
        default=1 * DAY, gt=0, description="seconds that a job may wait, if neither it nor its model says"
    )
    max_queue_ttl: float = Field(
        default=30 * DAY, gt=0, description="the most that a job may say for it, and gets, whatever its model says"
    )
    default_execution_timeout: float = Field(
        default=30 * MINUTE, gt=0, description="seconds that an attempt may run, if neither the job nor its model says"
    )
    max_execution_timeout: float = Field(
        default=7 * DAY, gt=0, description="the most that a job may say for it, and gets, whatever its model says"
    )
    default_max_attempts: int = Field(
        default=3, ge=1, description="attempts that may end badly, if neither the job nor its model says"
    )
    max_max_attempts: int = Field(
        default=25,
        ge=1,
        le=MOST_ATTEMPTS,
        description="the most that a job may say for it, and gets, whatever its model says",
    )
    result_retention: float = Field(
        default=7 * DAY,
        gt=0,
        le=LONGEST,
        description="seconds that a result is kept once its job has finished, if its model does not say",
    )
    row_retention: float = Field(
        default=30 * DAY,
        gt=0,
        le=LONGEST,
        description="seconds that a job is kept once it has finished, if its model does not say",
    )
    batch_body_limit: int = Field(
        default=16 * MIB, ge=1, description="bytes that the body of `POST /v1/jobs/batch` may have"
    )
    events_per_answer: int = Field(
        default=1000, ge=1, description="events in one answer: at most some 10 MB, where each is as long as one can be"
    )
    events_per_read: int = Field(
        default=100,
        ge=1,
        description="events that are read at once for a stream: what one that is slow keeps in memory",
    )
    max_wait: int = Field(default=60, ge=1, le=60, description="seconds that a request may wait for a job")
    metrics_open: bool = Field(
        default=False, description="answer `/metrics` to everybody: what scrapes it may have no credentials"
    )
    catalogue_refresh: float = Field(default=1.0, gt=0, description="seconds that the list of models may be old")
    shutdown_grace: int = Field(default=10, ge=1, description="seconds that requests get to finish at shutdown")

    frontend_dir: Path | None = Field(
        default=None, description="the folder of the web page; unset: the one that comes with the source"
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(host.strip().lower() for host in value.split(",") if host.strip())
        return value

    @property
    def everybody_is_asked(self) -> bool:
        """Whether who asks has to say who they are."""
        if self.allow_unauthenticated is None:
            return not _is_loopback(self.api_host)
        return not self.allow_unauthenticated

    @property
    def body_limit(self) -> int:
        """The largest submission: its input, its metadata, and a little for the rest."""
        return self.inline_input_limit + self.metadata_limit + 4 * KIB


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
