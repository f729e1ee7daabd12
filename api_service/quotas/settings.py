"""What can be set for quotas."""

from pydantic import Field

from shared.settings import Settings


class QuotaSettings(Settings):
    rate_limit: float | None = Field(
        default=None, gt=0, description="jobs a second that an owner may submit to one API process; unset: any number"
    )
    rate_burst: int = Field(
        default=100, ge=1, description="jobs that an owner may submit at once after a pause, where RATE_LIMIT is set"
    )
    max_waiting_per_owner: int = Field(
        default=100_000, ge=1, description="jobs of an owner that may wait for a worker; beyond that: 429"
    )
    max_waiting_per_queue: int = Field(
        default=1_000_000, ge=1, description="jobs that may wait in a queue, whoever they belong to; beyond that: 503"
    )
