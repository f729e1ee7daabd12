"""What those who speak to the broker have seen of it."""

import pytest

from api_service.broker_health import LASTS, BrokerHealth, Operation
from shared.errors import BrokerUnavailable

GONE = BrokerUnavailable("gone")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "works", [(Operation.PULL_DEAD, "echo"), (Operation.PUBLISH, "stage"), (Operation.PULL_DEAD, "stage")]
)
async def test_that_something_else_works_hides_no_error(works: tuple[Operation, str]) -> None:
    health = BrokerHealth()
    health.failed(Operation.PUBLISH, "echo", GONE)
    health.answered(*works)
    with pytest.raises(BrokerUnavailable, match="gone"):
        await health.check()
    health.answered(Operation.PUBLISH, "echo")
    await health.check()


async def test_an_error_that_nobody_meets_any_more_is_over() -> None:
    """Nothing waits to be published: the only job was cancelled."""
    clock = Clock()
    health = BrokerHealth(clock)
    health.failed(Operation.PUBLISH, "echo", GONE)
    clock.now += LASTS - 1
    with pytest.raises(BrokerUnavailable):
        await health.check()
    clock.now += 1
    await health.check()
