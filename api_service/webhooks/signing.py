"""Standard Webhooks (standardwebhooks.com): how a receiver knows that a message is ours, new, and which event it is."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from uuid import UUID

_PREFIX = "whsec_"


def signed_headers(event_id: UUID, secrets: Sequence[str], now: float, body: bytes) -> Mapping[str, str]:
    """The id is the event's: the same in every try. One signature for each secret, so that a receiver may know either.

    now: seconds since 1970. Receivers take messages of the last five minutes, so it is the try's time, not the event's.
    """
    timestamp = str(int(now))
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(
            _signature(secret, f"{event_id}.{timestamp}.".encode() + body) for secret in secrets
        ),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
