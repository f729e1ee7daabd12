"""Where a listing goes on: opaque to clients, so that it may change."""

import base64
import binascii
from uuid import UUID

from api_service.errors import DoesNotFit
from shared.errors import Fault


def encode_cursor(last: UUID) -> str:
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def decode_cursor(cursor: str) -> UUID:
    """Raises DoesNotFit for anything that encode_cursor did not make."""
    try:
        last = UUID(bytes=base64.urlsafe_b64decode(cursor + "=="))
    except (ValueError, binascii.Error):
        last = None
    if last is None or encode_cursor(last) != cursor:
        raise DoesNotFit("The cursor is none that a listing gave.", [Fault("/query/cursor", "not a cursor")])
    return last
