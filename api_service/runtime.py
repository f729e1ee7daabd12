"""What requests are answered with: made once by the composition root, the same for all of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from api_service.authentication.authenticator import Authenticator
from api_service.batch import BatchIntake
from api_service.catalogue_cache import CatalogueCache
from api_service.event_streams import EventStreams
from api_service.gathering import Gathered
from api_service.health import Health
from api_service.metrics import Metrics
from api_service.once import Once
from api_service.pace import Paces
from api_service.queue_position import QueuePositions
from api_service.quotas.quotas import Quotas
from api_service.statistics import Statistics
from api_service.status_cache import StatusCache
from api_service.submission import Intake
from api_service.uploads.intake import UploadIntake
from api_service.waiting import Watcher
from shared.blobs import Blobs
from shared.database.pool import Database
from shared.job import Job, NewJob


@dataclass(frozen=True, slots=True)
class Runtime:
    """store_together: all or nothing. on_requeued: called when jobs were queued again, to be published.

    body_limit, batch_body_limit: bytes. max_wait, webhook_secret_overlap: seconds.
    """

    database: Database
    blobs: Blobs
    authenticator: Authenticator
    quotas: Quotas
    catalogue: CatalogueCache
    intake: Intake
    batches: BatchIntake
    submissions: Gathered[NewJob, Job | None]  # None: the job's key is taken
    store_together: Callable[[Sequence[NewJob]], Awaitable[list[Job]]]
    once: Once
    uploads: UploadIntake
    statuses: StatusCache
    watcher: Watcher
    event_streams: EventStreams
    events_per_answer: int
    positions: QueuePositions
    paces: Paces
    statistics: Statistics
    metrics: Metrics
    metrics_open: bool
    health: Health
    on_requeued: Callable[[], None]
    body_limit: int
    batch_body_limit: int
    max_wait: int
    webhook_secret_overlap: float

    def answer_waiting(self) -> None:
        """Everybody at once: the server is to stop."""
        self.watcher.close()
        self.event_streams.close()


def runtime_of(request: Request) -> Runtime:
    return cast(Runtime, request.scope["state"]["runtime"])
