"""What is made of an answer, and when the next try is."""

import pytest

from api_service.webhooks.schedule import DELAYS, JITTER, RETRY_AFTER_MOST, outcome_of
from api_service.webhooks.sending import Answer
from shared.database.deliveries import DeliveryState

HOUR = 3600.0


def answer(status: int | None, retry_after: float | None = None) -> Answer:
    return Answer(status, None if status else "no answer", 0.5, retry_after)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_two_hundred_and_something_is_delivered(status: int) -> None:
    outcome = outcome_of(answer(status), 3)
    assert (outcome.state, outcome.error, outcome.again_in) == (DeliveryState.DELIVERED, None, None)


@pytest.mark.parametrize("status", [None, 100, 199, 300, 301, 307, 400, 401, 404, 429, 500, 503])
def test_everything_else_is_tried_again(status: int | None) -> None:
    """A redirect is not followed, and a receiver that says 404 today may have been deployed by tomorrow."""
    outcome = outcome_of(answer(status), 0)
    assert outcome.state is DeliveryState.PENDING
    assert outcome.error == ("no answer" if status is None else f"answered with {status}")


def test_who_is_gone_is_left_alone() -> None:
    assert outcome_of(answer(410), 0).state is DeliveryState.FAILED


def test_it_is_given_up_after_about_a_day() -> None:
    assert outcome_of(answer(500), len(DELAYS) - 1).state is DeliveryState.PENDING
    assert outcome_of(answer(500), len(DELAYS)).state is DeliveryState.FAILED
    assert 23 * HOUR < sum(DELAYS) < 24 * HOUR


@pytest.mark.parametrize("tries", range(len(DELAYS)))
def test_the_pauses_grow_and_do_not_march_in_step(tries: int) -> None:
    drawn = {outcome_of(answer(500), tries).again_in for _ in range(100)}
    assert len(drawn) > 50
    assert all(DELAYS[tries] * (1 - JITTER) <= (delay or 0) <= DELAYS[tries] * (1 + JITTER) for delay in drawn)
    assert list(DELAYS) == sorted(DELAYS)


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_may_ask_for_time(status: int) -> None:
    """Within bounds, and never for less time than it would get anyway."""
    assert outcome_of(answer(status, 600.0), 0).again_in == 600.0
    assert outcome_of(answer(status, 10 * HOUR), 0).again_in == RETRY_AFTER_MOST
    for asked in (0.0, -5.0, 1.0):
        assert (outcome_of(answer(status, asked), 1).again_in or 0) >= DELAYS[1] * (1 - JITTER)


def test_others_may_not() -> None:
    assert (outcome_of(answer(500, 600.0), 0).again_in or 0) <= DELAYS[0] * (1 + JITTER)
