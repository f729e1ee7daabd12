"""The dispatcher with all that it needs, from the settings."""

import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager

from api_service.webhooks.dispatcher import Calls, Dispatcher
from api_service.webhooks.resolving import Resolver
from api_service.webhooks.sending import Sender
from api_service.webhooks.settings import WebhookSettings
from shared.database.pool import Database


@contextmanager
def dispatching(settings: WebhookSettings, db: Database) -> Iterator[Dispatcher]:
    """Certificates are checked against the system's, or what SSL_CERT_FILE names: for receivers with a CA of one's own."""
    with closing(Resolver(settings.webhook_concurrent)) as resolver:
        sender = Sender(
            settings.url_rules,
            resolver,
            ssl.create_default_context(),
            connect_timeout=settings.webhook_connect_timeout,
            timeout=settings.webhook_timeout,
        )
        calls = Calls(settings.webhook_concurrent, settings.webhook_concurrent_per_host, settings.webhook_timeout)
        yield Dispatcher(db, sender.post, calls)
