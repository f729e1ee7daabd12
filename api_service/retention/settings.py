"""How long what belongs to no job is kept. A job's own times are noted in its row when it is submitted."""

from pydantic import Field

from shared.settings import BlobSettings

HOUR = 3600.0
DAY = 24 * HOUR


class RetentionSettings(BlobSettings):
    """Times in seconds."""

    upload_retention: float = Field(
        default=24 * HOUR, gt=0, description="seconds that an upload is kept which no job refers to"
    )
    dead_letter_retention: float = Field(
        default=30 * DAY, gt=0, description="seconds that a message which nobody could read is kept"
    )
    orphan_age: float = Field(
        default=24 * HOUR,
        ge=HOUR,
        description="seconds after which a file without a row is removed: more than from its writing to its row's commit",
    )
    sweep_every: float = Field(
        default=HOUR, gt=0, description="seconds between two looks for files without a row: each lists the blob store"
    )
