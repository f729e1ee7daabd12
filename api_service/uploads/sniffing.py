"""What a file is, by its first bytes: what a client says of it is never believed."""

import codecs
import re
from collections.abc import AsyncIterator
from itertools import takewhile

import msgspec
import puremagic

UNKNOWN = "application/octet-stream"
TEXT = "text/plain"
JSON = "application/json"

HEAD = 8 * 1024  # bytes: all signatures are within them

# Text has none of these: C0 controls but tab, line feed, form feed, carriage return and escape.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
# An object or array that has begun well; the rest of a long one is not looked at.
_JSON_HEAD = re.compile(r'\s*(?:\{\s*"|\[\s*(?:["\[{]|(?:-?\d[\d.eE+-]*|true|false|null)\s*,))')
# By other names than their registered ones, or by those of what is only one kind of them.
_NAMES = {
    "image/x-ms-bmp": "image/bmp",
    "image/x-icon": "image/vnd.microsoft.icon",
    "application/x-gzip": "application/gzip",
    "audio/wave": "audio/wav",
}
_ZIP = b"PK\x03\x04"


class Head:
    """Keeps the beginning of what goes by."""

    def __init__(self) -> None:
        self._kept = bytearray()

    async def noting(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self._kept += chunk[: HEAD - len(self._kept)]
            yield chunk

    def content_type(self, size: int) -> str:
        """size: of the whole, in bytes."""
        return sniff(bytes(self._kept), whole=size == len(self._kept))


def sniff(head: bytes, *, whole: bool) -> str:
    """Text is JSON or plain, and never what a browser would run. whole: nothing follows the head."""
    if not head:
        return UNKNOWN
    text = _text(head, whole=whole)
    if text is None:
        return _by_signature(head)
    return JSON if (_is_json(head) if whole else _JSON_HEAD.match(text)) else TEXT


def _text(head: bytes, *, whole: bool) -> str | None:
    """UTF-8; a character may be cut off at the end of the head."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, whole)
    except UnicodeDecodeError:
        return None
    return None if _CONTROLS.search(text) else text


def _is_json(content: bytes) -> bool:
    try:
        msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _by_signature(head: bytes) -> str:
    """The first of those signatures that fit best and whose type has a name."""
    if head.startswith(
        _ZIP
    ):  # documents of many kinds are archives, and only their directory at the end tells them apart
        return "application/zip"
    try:
        matches = puremagic.magic_string(head)
    except puremagic.PureError:
        return UNKNOWN
    best = takewhile(lambda match: match.confidence == matches[0].confidence, matches)
    kind = next((match.mime_type for match in best if match.mime_type), UNKNOWN)
    return _NAMES.get(kind, kind)
