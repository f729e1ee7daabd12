"""Progress, as a running attempt reports it."""

from collections.abc import Collection
from dataclasses import asdict
from uuid import UUID

from shared.database.attempt_events import AttemptEvents, write_events
from shared.database.pool import Database
from shared.events import EventType, NewEvent
from shared.job import Progress

CAP = 1000


async def write_progress(db: Database, told: Collection[tuple[UUID, int, Progress]]) -> set[UUID]:
    """told: (id, attempt, how far). -> the jobs that this attempt still held."""
    said = [
        AttemptEvents(job_id, attempt, [NewEvent(EventType.PROGRESS, asdict(progress))], progress)
        for job_id, attempt, progress in told
    ]
    return await write_events(db, said, CAP)
