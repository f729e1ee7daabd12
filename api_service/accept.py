"""Which of two forms a client would rather have (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Sequence

_RANGE = re.compile(r"^([!#$%&'*+.^_`|~\w-]+)/([!#$%&'*+.^_`|~\w-]+)$", re.ASCII)
_QUALITY = re.compile(r"^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$", re.ASCII)


def prefers(headers: Sequence[str], offered: str, default: str) -> bool:
    """Whether `offered` is wanted more than `default`; what is named in full counts more than `*/*`.

    A range that cannot be read is ignored. Nobody is refused: who wants neither gets the default.
    """
    ranges = [part for header in headers for part in header.lower().split(",")]
    return _wanted(ranges, offered) > _wanted(ranges, default)


def _wanted(ranges: Sequence[str], kind: str) -> tuple[float, int]:
    """-> (quality, how exactly it is named), by the range that names it most exactly; (0, 0): not at all."""
    exactness, quality = max((_match(one, kind) for one in ranges), default=(0, 0.0))
    return (quality, exactness) if quality > 0 else (0.0, 0)


def _match(given: str, kind: str) -> tuple[int, float]:
    """-> (how exactly this range names it, 0: not; with which quality)"""
    name, *parameters = (part.strip() for part in given.split(";"))
    if not (found := _RANGE.match(name)):
        return 0, 0.0
    exactness = {kind: 3, f"{kind.partition('/')[0]}/*": 2, "*/*": 1}.get(found[0], 0)
    return (exactness, _quality(parameters)) if exactness else (0, 0.0)


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if _QUALITY.match(value.strip()) else 0.0
    return 1.0
