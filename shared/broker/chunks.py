"""Splitting what is too much for one request."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Sequence[T], most: int, most_bytes: int, size: Callable[[T], int]) -> Iterator[list[T]]:
    """In order, as few as it takes, none with more than `most` items, nor larger than `most_bytes` unless it is a
    single item: the broker may judge that one.
    """
    chunk: list[T] = []
    room = most_bytes
    for item in items:
        needed = size(item)
        if chunk and (len(chunk) == most or needed > room):
            yield chunk
            chunk, room = [], most_bytes
        chunk.append(item)
        room -= needed
    if chunk:
        yield chunk
