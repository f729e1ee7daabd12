"""The `webhook` of a submission."""

import json

import pytest

from api_service.webhook_field import LONGEST_URL, Webhook, WebhookEvent, webhook_faults, webhook_text
from api_service.webhooks.rules import UrlRules

GOOD = [
    "https://example.com",
    "http://example.com:8080/hook?token=1",
    "https://[2606:4700::1]/x",
    "HTTPS://EXAMPLE.com",
    "https://xn--bcher-kva.example/%C3%A9",
]
BAD = [
    *("", "example.com", "/hook", "ftp://example.com", "https://", "https:///x", "https://:80/", "javascript:alert(1)"),
    *("https://a b.com", "https://example.com/\n", "https://bücher.example", "https://example.com/\x00", "http://[::1"),
    *(
        "https://example.com:port",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://user:pw@example.com",
    ),
]


@pytest.mark.parametrize("url", GOOD)
def test_an_absolute_url_fits(url: str) -> None:
    assert webhook_faults(Webhook(url), UrlRules(allow_http=True)) == []


@pytest.mark.parametrize("url", BAD)
def test_what_cannot_be_called_is_refused(url: str) -> None:
    (fault,) = webhook_faults(Webhook(url), UrlRules(allow_http=True))
    assert fault.path == "/webhook/url"
    assert fault.message


def test_an_event_is_named_once() -> None:
    (fault,) = webhook_faults(Webhook(GOOD[0], [WebhookEvent.FAILED, WebhookEvent.FAILED]), UrlRules())
    assert fault.path == "/webhook/events"


def test_all_events_are_meant_where_none_are_named() -> None:
    """Stored by name: a new kind of event must not come to those who never asked for it."""
    assert json.loads(webhook_text(Webhook(GOOD[0])))["events"] == [str(event) for event in WebhookEvent]
    assert json.loads(webhook_text(Webhook(GOOD[0], [WebhookEvent.FAILED]))) == {
        "url": GOOD[0],
        "events": ["job.failed"],
    }
    assert LONGEST_URL >= 2000
