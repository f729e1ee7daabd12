"""What a submission may say about who is to be told of the job's end."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from api_service.webhooks.rules import UrlRules
from shared.errors import Fault
from shared.job import JsonText

LONGEST_URL = 2048  # characters; proxies and servers begin to refuse longer ones


class WebhookEvent(StrEnum):
    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    EXPIRED = "job.expired"


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to be told when the job has ended. All four events if they are left out."""

    url: Annotated[
        str,
        Meta(max_length=LONGEST_URL, description="https://, on the public internet.", examples=["https://example.com"]),
    ]
    events: Annotated[list[WebhookEvent], Meta(min_length=1, max_length=len(WebhookEvent))] | None = None


def webhook_faults(webhook: Webhook, rules: UrlRules) -> list[Fault]:
    """Paths are those in a submission."""
    faults = []
    if (wrong := rules.wrong_with(webhook.url)) is not None:
        faults.append(Fault("/webhook/url", wrong))
    if webhook.events is not None and len(set(webhook.events)) < len(webhook.events):
        faults.append(Fault("/webhook/events", "an event occurs twice"))
    return faults


def webhook_text(webhook: Webhook) -> JsonText:
    """As it is stored: with its events, so that one who is told nothing more today stays so."""
    return msgspec.json.encode({"url": webhook.url, "events": webhook.events or list(WebhookEvent)}).decode()
