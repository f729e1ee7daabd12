"""The `Prefer: wait=N` header (RFC 7240), read leniently: what is malformed is ignored, as the RFC asks."""

import re
from collections.abc import Iterable

_WORD = r'(?:[!#$%&\'*+.^_`|~0-9A-Za-z-]++|"(?:[^"\\]|\\.)*+")'
_PARAMETERS = rf"(?:;\s*+(?:{_WORD}\s*+(?:=\s*+{_WORD}\s*+)?+)?+)*+"
# One preference: `token [= word] *(; [parameter])`; a value may be quoted, and then hold commas.
_PREFERENCE = re.compile(rf"\s*+({_WORD})\s*+(?:=\s*+({_WORD})\s*+)?+{_PARAMETERS}(?:,|$)")
_LONGEST_HEADER = 1000  # characters; nobody means a longer one
_LONGEST_NUMBER = 6  # digits; more cannot matter


def preferred_wait(values: Iterable[str], longest: int) -> int | None:
    """The seconds that the client would like to wait, at most `longest`. None: it did not say, or nothing readable.

    values: of all `Prefer` headers, in order. The first `wait` counts, a malformed one too (RFC 7240, section 2).
    """
    for value in values:
        at = 0
        while at < len(value) <= _LONGEST_HEADER:
            match = _PREFERENCE.match(value, at)
            if match is None:  # on with what follows
                at = (value.find(",", at) + 1) or len(value)
            elif match[1].lower() == "wait":
                return _seconds(match[2], longest)
            else:
                at = match.end()
    return None


def _seconds(word: str | None, longest: int) -> int | None:
    digits = (word or "").strip('"')
    if not (digits.isascii() and digits.isdigit()):
        return None
    significant = digits.lstrip("0") or "0"
    return longest if len(significant) > _LONGEST_NUMBER else min(int(significant), longest)
