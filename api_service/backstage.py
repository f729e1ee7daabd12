"""What goes on behind the answers: publishing, reconciling, purging, looking after dead letters, and calling webhooks."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from api_service.background import Service
from api_service.broker_health import BrokerHealth
from api_service.catalogue_cache import CatalogueCache
from api_service.counts import Counts
from api_service.dead_letters import DeadLetters
from api_service.health import Check
from api_service.reconciler import Reconciler
from api_service.relay import Relay
from api_service.retention.purging import Purging
from api_service.retention.settings import RetentionSettings
from api_service.retention.sweep import Sweep
from api_service.statistics import queues_of
from api_service.webhooks.service import dispatching
from api_service.webhooks.settings import WebhookSettings
from shared.blobs import Blobs
from shared.broker.pubsub import Pubsub
from shared.database.pool import Database
from shared.job import NewJob
from shared.queues import Provisioner
from shared.settings import BrokerSettings, LeaseSettings


class BackstageSettings(BrokerSettings, LeaseSettings, WebhookSettings, RetentionSettings):
    """What only the services behind the answers need."""


@dataclass(frozen=True, slots=True)
class Backstage:
    """on_committed: publish these at once. on_requeued: publish soon. check_broker: raises if it was away just now.

    on_due: there is a webhook to be called.
    """

    services: Sequence[Service]
    on_committed: Callable[[Sequence[NewJob]], None]
    on_requeued: Callable[[], None]
    check_broker: Check
    on_due: Callable[[], None]


@asynccontextmanager
async def backstage(
    settings: BackstageSettings | None, db: Database, blobs: Blobs, catalogue: CatalogueCache, counts: Counts
) -> AsyncIterator[Backstage]:
    """None: this process only answers; another one publishes and reconciles."""
    if settings is None:
        yield Backstage((), lambda _: None, lambda: None, BrokerHealth().check, lambda: None)
        return
    broker = await Pubsub.connect(
        settings.pubsub_project,
        settings.pubsub_emulator_host,
        settings.queue_prefix,
        pull_seconds=settings.pubsub_pull_seconds,
    )
    health = BrokerHealth()
    provision = Provisioner(broker, db, allowed=settings.pubsub_provision)
    relay = Relay(db, broker, health, provision, counts)

    try:
        with dispatching(settings, db) as dispatcher:
            services: list[Service] = [
                relay,
                Reconciler(db, settings.lease_seconds, relay.sweep_soon, counts),
                DeadLetters(
                    db, broker, health, partial(queues_of, catalogue), provision, settings.dead_letter_retention
                ),
                dispatcher,
                Purging(db, blobs, settings.upload_retention, counts),
                Sweep(db, blobs, settings.orphan_age, settings.sweep_every, counts),
            ]
            yield Backstage(services, relay.offer, relay.sweep_soon, health.check, dispatcher.look_soon)
    finally:
        await broker.close()
