"""Creating what a queue consists of, with the settings that the rest relies on.

Google's Pub/Sub moves dead letters, and forgets them otherwise, only if its own service agent
(service-<project number>@gcp-sa-pubsub.iam.gserviceaccount.com) may: it needs roles/pubsub.publisher on the
dead-letter topic and roles/pubsub.subscriber on the queue's subscription. Granting that takes more rights than we
want to have, so it is left to whoever sets up the project. The emulator asks for nothing.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from google.api_core.exceptions import AlreadyExists, NotFound
from google.pubsub_v1.types import DeadLetterPolicy, ExpirationPolicy, RetryPolicy, Subscription

from shared.broker.channel import Clients
from shared.broker.names import QueueNames

ACK_DEADLINE_S = 60  # longer than a worker's lease (30 s): the broker's recovery stays behind the lease's
MAX_DELIVERIES = 20  # the real limit is max_attempts in the row
_RETRY = RetryPolicy(  # the default redelivers at once; this only matters when workers die
    minimum_backoff=timedelta(seconds=10), maximum_backoff=timedelta(seconds=600)
)
_NEVER = ExpirationPolicy()  # without a ttl; the default removes a subscription after 31 idle days
_TIMEOUT_S = 10.0
_DELETED_TOPIC = "_deleted-topic_"  # what Pub/Sub calls it, in a subscription that outlives it

log = structlog.get_logger(__name__)


async def provision(clients: Clients, names: QueueNames) -> bool:
    """Whether the queue's own subscription was created. Raises Google's exceptions.

    A subscription whose topic was deleted is replaced: a topic of the same name is another one, and brings it nothing.

    Dead letters first: from its first moment on, a queue has a place for them. To be repeated as often as one likes,
    by several at once. If the answer that would have said True is lost, the repetition says False.
    """
    await _ensure_topic(clients, names.dead_topic)
    await _ensure_subscription(clients, _subscription(names.dead_subscription, names.dead_topic))
    await _ensure_topic(clients, names.topic)
    dead_letters = DeadLetterPolicy(dead_letter_topic=names.dead_topic, max_delivery_attempts=MAX_DELIVERIES)
    return await _ensure_subscription(clients, _subscription(names.subscription, names.topic, dead_letters))


def _subscription(name: str, topic: str, dead_letters: DeadLetterPolicy | None = None) -> Subscription:
    return Subscription(
        name=name,
        topic=topic,
        ack_deadline_seconds=ACK_DEADLINE_S,
        retry_policy=_RETRY,
        expiration_policy=_NEVER,
        dead_letter_policy=dead_letters,
        # Both off: correctness comes from the row, and several clients have open reports of redelivery.
        enable_exactly_once_delivery=False,
        enable_message_ordering=False,
    )


async def _ensure_topic(clients: Clients, name: str) -> None:
    with suppress(AlreadyExists):
        await clients.publisher.create_topic(name=name, retry=None, timeout=_TIMEOUT_S)


async def _ensure_subscription(clients: Clients, wanted: Subscription) -> bool:
    if await _create_subscription(clients, wanted):
        return True
    with suppress(NotFound):  # another one is replacing it, too
        existing = await clients.subscriber.get_subscription(subscription=wanted.name, retry=None, timeout=_TIMEOUT_S)
        if existing.topic != _DELETED_TOPIC:
            _warn_of_differences(existing, wanted)
            return False
        log.warning("a subscription whose topic was deleted is replaced", subscription=wanted.name)
        await clients.subscriber.delete_subscription(subscription=wanted.name, retry=None, timeout=_TIMEOUT_S)
    return await _create_subscription(clients, wanted)


async def _create_subscription(clients: Clients, wanted: Subscription) -> bool:
    """-> False: there is one."""
    try:
        await clients.subscriber.create_subscription(request=wanted, retry=None, timeout=_TIMEOUT_S)
    except AlreadyExists:
        return False
    return True


_COMPARED = (
    "topic",
    "push_config",
    "filter",
    "ack_deadline_seconds",
    "retry_policy",
    "expiration_policy",
    "dead_letter_policy",
    "enable_exactly_once_delivery",
    "enable_message_ordering",
)


def _warn_of_differences(existing: Subscription, wanted: Subscription) -> None:
    """Somebody may have had a reason: settings are not changed behind their back."""
    differences = {
        field: {"is": _plain(found), "ours": _plain(ours)}
        for field in _COMPARED
        if (found := getattr(existing, field)) != (ours := getattr(wanted, field))
    }
    if differences:
        log.warning("a subscription has settings other than ours", subscription=wanted.name, differences=differences)


def _plain(value: Any) -> str:
    return " ".join(str(value).split())
