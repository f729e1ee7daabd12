"""What the listeners hear: the ids of jobs that changed visibly."""

from uuid import UUID

from shared.database.entries import CHANNEL, IDS_PER_NOTIFICATION

__all__ = ["CHANNEL", "IDS_PER_NOTIFICATION", "parse_payload"]


def parse_payload(payload: str) -> list[UUID]:
    return [UUID(text) for text in payload.split(",")]
