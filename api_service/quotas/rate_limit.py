"""How fast each owner may submit: a bucket of tokens, filled at a steady rate, one token for a job."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from api_service.errors import RateLimited

MAX_OWNERS = 10_000  # before those are forgotten whose buckets are full again: they are as good as new


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimit:
    """rate: tokens a second. burst: tokens that a bucket holds. clock: monotonic seconds."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, owner: str, jobs: int) -> None:
        """All or nothing. More jobs than a bucket holds take a full one, and leave it owing: the next ones wait longer.

        Raises RateLimited.
        """
        now = self._clock()
        bucket = self._bucket(owner, now)
        bucket.tokens = self._filled(bucket, now)
        bucket.at = now
        lacking = min(jobs, self._burst) - bucket.tokens
        if lacking > 0:
            raise RateLimited(
                f"You may submit {self._rate:g} jobs a second, and {self._burst} at once after a pause.",
                math.ceil(lacking / self._rate),
            )
        bucket.tokens -= jobs

    def _bucket(self, owner: str, now: float) -> _Bucket:
        bucket = self._buckets.get(owner)
        if bucket is None:
            if len(self._buckets) >= MAX_OWNERS:
                self._forget_full(now)
            bucket = self._buckets[owner] = _Bucket(self._burst, now)
        return bucket

    def _filled(self, bucket: _Bucket, now: float) -> float:
        return min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)

    def _forget_full(self, now: float) -> None:
        self._buckets = {
            owner: bucket for owner, bucket in self._buckets.items() if self._filled(bucket, now) < self._burst
        }
