"""Where a listing goes on: opaque to clients, so that it may change."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

from api_service.errors import DoesNotFit
from shared.errors import Fault

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME_BYTES = 8


def encode_cursor(last: UUID) -> str:
    return _encode(last.bytes)


def decode_cursor(cursor: str) -> UUID:
    """Raises DoesNotFit for anything that encode_cursor did not make."""
    try:
        return UUID(bytes=_decode(cursor))
    except ValueError:
        raise _not_a_cursor() from None


def encode_time_cursor(time: datetime, last: UUID) -> str:
    """Of a listing by time, whose ids do not sort by it. To the microsecond, as the database has it."""
    return _encode(((time - _EPOCH) // _MICROSECOND).to_bytes(_TIME_BYTES, signed=True) + last.bytes)


def decode_time_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Raises DoesNotFit for anything that encode_time_cursor did not make."""
    content = _decode(cursor)
    try:
        time = _EPOCH + int.from_bytes(content[:_TIME_BYTES], signed=True) * _MICROSECOND
        return time, UUID(bytes=content[_TIME_BYTES:])
    except (ValueError, OverflowError):
        raise _not_a_cursor() from None


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decode(cursor: str) -> bytes:
    try:
        content = base64.urlsafe_b64decode(cursor + "==")
    except (ValueError, binascii.Error):
        content = b""
    if not content or _encode(content) != cursor:
        raise _not_a_cursor()
    return content


def _not_a_cursor() -> DoesNotFit:
    return DoesNotFit("The cursor is none that a listing gave.", [Fault("/query/cursor", "not a cursor")])
