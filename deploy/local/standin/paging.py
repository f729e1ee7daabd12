"""Lists, a page at a time, in the order of names."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from deploy.local.standin.errors import InvalidArgument
from deploy.local.standin.limits import PAGE


def page(names: Iterable[str], size: int, token: str) -> tuple[Sequence[str], str]:
    """The names of one page, and the token of the next one, empty after the last. A token is the last name that was
    seen, so that nothing is missed or seen twice because of what comes and goes in between.
    """
    if size < 0:
        raise InvalidArgument(f"Invalid page_size given ({size}): it must not be negative.")
    ordered = sorted(names)
    begin = bisect_right(ordered, token) if token else 0
    end = begin + min(size or PAGE, PAGE)
    chosen = ordered[begin:end]
    return chosen, chosen[-1] if end < len(ordered) else ""
