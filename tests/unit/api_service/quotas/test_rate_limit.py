"""How fast an owner may submit."""

import pytest

from api_service.errors import RateLimited
from api_service.quotas import rate_limit
from api_service.quotas.rate_limit import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refused(limit: RateLimit, jobs: int = 1, owner: str = "ann") -> int:
    """-> Retry-After"""
    with pytest.raises(RateLimited) as refusal:
        limit.take(owner, jobs)
    return refusal.value.retry_after


def test_a_burst_is_let_in_and_then_as_many_as_the_rate_allows(clock: Clock) -> None:
    limit = RateLimit(2.0, 5, clock)
    for _ in range(5):
        limit.take("ann", 1)
    refused(limit)
    clock.now = 0.5
    limit.take("ann", 1)

    refused(limit)


def test_who_waits_as_long_as_they_were_told_is_let_in(clock: Clock) -> None:
    limit = RateLimit(0.5, 10, clock)
    limit.take("ann", 10)
    for jobs in (1, 3, 10, 50):
        clock.now += refused(limit, jobs)
        limit.take("ann", jobs)


def test_a_batch_is_let_in_whole_or_not_at_all(clock: Clock) -> None:
    limit = RateLimit(1.0, 10, clock)
    limit.take("ann", 4)
    assert refused(limit, 7) == 1
    limit.take("ann", 6)


def test_a_batch_larger_than_a_burst_takes_a_full_one_and_is_paid_for_afterwards(clock: Clock) -> None:
    limit = RateLimit(10.0, 10, clock)
    limit.take("ann", 100)

    assert refused(limit) == 10  # 90 tokens owing, and one to have


def test_owners_do_not_share(clock: Clock) -> None:
    limit = RateLimit(1.0, 1, clock)
    limit.take("ann", 1)
    limit.take("bob", 1)

    refused(limit, owner="bob")


def test_a_pause_brings_no_more_than_a_burst(clock: Clock) -> None:
    limit = RateLimit(1.0, 3, clock)
    limit.take("ann", 3)
    clock.now = 1e6
    limit.take("ann", 3)

    refused(limit)


def test_owners_that_have_paused_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_OWNERS", 10)
    limit = RateLimit(1.0, 1, clock)
    for number in range(100):
        clock.now = 10.0 * number
        limit.take(f"owner {number}", 1)

    assert len(limit._buckets) <= 11
