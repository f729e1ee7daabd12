"""One part of a body, as `Range` asks for it (RFC 9110, section 14)."""

import re
from dataclasses import dataclass

from api_service.errors import RangeNotSatisfiable

_ONE = re.compile(r"[ \t]*bytes[ \t]*=[ \t]*(\d*)-(\d*)[ \t]*", re.ASCII | re.IGNORECASE)
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `begin` up to `end`, which is not in it, of `size`."""

    begin: int
    end: int
    size: int

    @property
    def length(self) -> int:
        return self.end - self.begin

    @property
    def content_range(self) -> str:
        return f"bytes {self.begin}-{self.end - 1}/{self.size}"


def asked_part(header: str | None, size: int) -> Part | None:
    """None: all of it. Several ranges, other units and what is malformed are ignored, as the RFC allows.

    Raises RangeNotSatisfiable.
    """
    match = _ONE.fullmatch(header) if header is not None else None
    if match is None or any(len(digits) > _MOST_DIGITS for digits in match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return _last(int(last), size) if last else None
    begin, end = int(first), int(last) + 1 if last else size
    if end <= begin and last:
        return None  # backwards: that is malformed
    if begin >= size:
        raise RangeNotSatisfiable(size)
    return Part(begin, min(end, size), size)


def _last(length: int, size: int) -> Part:
    if not length or not size:
        raise RangeNotSatisfiable(size)
    return Part(max(0, size - length), size, size)
