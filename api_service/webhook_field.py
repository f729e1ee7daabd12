"""What a submission may say about who is to be told of the job's end."""

import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from shared.errors import Fault
from shared.job import JsonText

LONGEST_URL = 2048  # characters; proxies and servers begin to refuse longer ones
_VISIBLE = re.compile(r"[!-~]+\Z")


class WebhookEvent(StrEnum):
    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    EXPIRED = "job.expired"


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to be told when the job has ended. All four events if they are left out."""

    url: Annotated[str, Meta(max_length=LONGEST_URL, description="An absolute URL.", examples=["https://example.com"])]
    events: Annotated[list[WebhookEvent], Meta(min_length=1, max_length=len(WebhookEvent))] | None = None


def webhook_faults(webhook: Webhook) -> list[Fault]:
    """Paths are those in a submission."""
    faults = []
    if (wrong := _wrong_with(webhook.url)) is not None:
        faults.append(Fault("/webhook/url", wrong))
    if webhook.events is not None and len(set(webhook.events)) < len(webhook.events):
        faults.append(Fault("/webhook/events", "an event occurs twice"))
    return faults


def webhook_text(webhook: Webhook) -> JsonText:
    """As it is stored: with its events, so that one who is told nothing more today stays so."""
    return msgspec.json.encode({"url": webhook.url, "events": webhook.events or list(WebhookEvent)}).decode()


def _wrong_with(url: str) -> str | None:
    if not _VISIBLE.match(url):
        return "has characters that a URL cannot have: encode them"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"not a URL: {error}"
    if parts.scheme not in {"http", "https"}:
        return "begins with neither https:// nor http://"
    if not parts.hostname or port == 0:
        return "names no host that could be called"
    if "@" in parts.netloc:
        return "names a user: calls are signed, and send no password"
    return None
