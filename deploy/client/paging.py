"""Lists that come in pages, fetched as they are needed."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from deploy.client.effects import Answer, Give, Request, Stream
from deploy.client.retrying import Policy, Repeat, call

T = TypeVar("T")
LARGEST_PAGE = 200


def listed(
    policy: Policy,
    path: str,
    query: Mapping[str, str | None],
    limit: int | None,
    read: Callable[[Answer], tuple[Sequence[T], str | None]],
) -> Stream[T]:
    """query: without what is None. limit: how many at most. read: a page's items, and the cursor of the next one."""
    wanted = {name: value for name, value in query.items() if value is not None}
    left = sys.maxsize if limit is None else limit
    cursor: str | None = None
    while left > 0:
        page = {**wanted, "limit": str(min(left, LARGEST_PAGE)), **({"cursor": cursor} if cursor else {})}
        answer = yield from call(policy, Request("GET", path, policy.timeout, page), Repeat.ALWAYS)
        items, cursor = read(answer)
        yield from (Give(item) for item in items[:left])
        left -= len(items)
        if cursor is None:
            return
