"""Entity tags, and the conditions that clients make with them (RFC 9110, section 13.1)."""

import re
from collections.abc import Iterator

from shared.job import Job

_TAG = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')
_WITH_INPUT = "+input"
_MOST_DIGITS = 18


def etag(job: Job, *, with_input: bool = False) -> str:
    """Weak: two answers with the same tag tell the same, though `queue_position` may differ."""
    return f'W/"{job.revision}{_WITH_INPUT if with_input else ""}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the client has this already, by weak comparison."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    opaque = tag.removeprefix("W/").strip('"')
    return any(known == opaque for known in _opaque_tags(if_none_match))


def matches_strongly(header: str, tag: str) -> bool:
    """As If-Match and If-Range ask (RFC 9110, section 8.8.3.2): weak tags match nothing. tag: a strong one."""
    if header.strip() == "*":
        return True
    at = 0
    while match := _TAG.match(header, at):
        if match[0].lstrip().startswith('"') and f'"{match[1]}"' == tag:
            return True
        at = match.end()
    return False


def newest_revision(if_none_match: str | None) -> int:
    """The latest revision that the client says it has seen: it must not be shown an older one. 0: none."""
    revisions = (tag.removesuffix(_WITH_INPUT) for tag in _opaque_tags(if_none_match or ""))
    return max((int(r) for r in revisions if r.isascii() and r.isdigit() and len(r) <= _MOST_DIGITS), default=0)


def _opaque_tags(header: str) -> Iterator[str]:
    at = 0
    while match := _TAG.match(header, at):
        yield match[1]
        at = match.end()
