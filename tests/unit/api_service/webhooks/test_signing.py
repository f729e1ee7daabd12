"""Signatures, checked by the standard's own library."""

import base64
import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from api_service.webhooks.signing import signed_headers

SECRET = "whsec_" + base64.b64encode(b"a" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"b" * 24).decode()
EVENT = UUID("7f1c9d8e-93a4-4b5e-8f57-0c6d3f1f2a10")
BODY = b'{"type": "job.succeeded"}'


def headers(*secrets: str, now: float | None = None, body: bytes = BODY) -> dict[str, str]:
    return dict(signed_headers(EVENT, secrets, time.time() if now is None else now, body))


def test_a_receiver_can_be_sure() -> None:
    Webhook(SECRET).verify(BODY, headers(SECRET))


def test_while_a_secret_is_rotated_either_will_do() -> None:
    both = headers(SECRET, OTHER)
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(BODY, both)


@pytest.mark.parametrize(
    "sent",
    [
        headers(OTHER),
        headers(SECRET, now=time.time() - 3600),
        headers(SECRET, body=b"{}"),
        headers(SECRET) | {"webhook-id": "another"},
    ],
    ids=["another secret", "an hour ago", "another body", "another id"],
)
def test_nobody_else_s_message_passes(sent: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, sent)


def test_it_is_signed_as_the_reference_library_signs() -> None:
    now = 1_700_000_000
    sent = headers(SECRET, now=now + 0.9)
    assert sent["webhook-timestamp"] == str(now)
    key = Webhook(SECRET)
    from_reference = key.sign(str(EVENT), _at(now), BODY.decode())
    assert sent["webhook-signature"] == from_reference


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
