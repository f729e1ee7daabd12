"""A job's deliveries and an owner's secret, as clients see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from shared.database.deliveries import Delivery, DeliveryState
from shared.database.webhook_secrets import WebhookSecret

Time = Annotated[datetime, Meta(tz=True)]


class TryView(msgspec.Struct, frozen=True):
    at: Annotated[Time, Meta(description="When it began.")]
    status: Annotated[int | None, Meta(description="Of the answer; null: there was none.")]
    error: Annotated[str | None, Meta(description="What went wrong; null: nothing.")]
    seconds: Annotated[float, Meta(description="How long it took.")]


class DeliveryView(msgspec.Struct, frozen=True):
    """An event that somebody is told of."""

    id: Annotated[UUID, Meta(description="The `webhook-id`, the same in every try.")]
    event: Annotated[str, Meta(examples=["job.succeeded"])]
    url: str
    state: DeliveryState
    tries: list[TryView]
    next_try_at: Annotated[Time | None, Meta(description="Null once it is delivered or given up.")]
    created_at: Time
    finished_at: Annotated[Time | None, Meta(description="When it was delivered, or given up.")]


class DeliveryList(msgspec.Struct, frozen=True):
    """The oldest first."""

    deliveries: list[DeliveryView]


class SecretView(msgspec.Struct, frozen=True):
    """What the webhooks of an owner are signed with."""

    secret: Annotated[str, Meta(description="`whsec_` and the base64 of 32 random bytes.")]
    created_at: Time
    previous_until: Annotated[Time | None, Meta(description="Until then the one before it signs along.")]


_encode = msgspec.json.Encoder().encode


def render_deliveries(deliveries: Sequence[Delivery]) -> bytes:
    return _encode(DeliveryList([_view(one) for one in deliveries]))


def render_secret(secret: WebhookSecret) -> bytes:
    return _encode(SecretView(secret.secret, secret.created_at, secret.previous_until))


def _view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.id,
        event=delivery.event,
        url=delivery.url,
        state=delivery.state,
        tries=[TryView(made.at, made.status, made.error, made.seconds) for made in delivery.tries],
        next_try_at=delivery.next_try_at,
        created_at=delivery.created_at,
        finished_at=delivery.finished_at,
    )
