"""How much a worker pulls."""

import pytest

from ml_service.worker.room import AHEAD_AT_MOST, BatchSeconds, batches_ahead, room


@pytest.mark.parametrize("seconds", [None, 5.1, 180.0])
def test_nothing_is_claimed_ahead_of_a_slow_or_unknown_batch(seconds: float | None) -> None:
    """A job that waits here could be running in another worker."""
    assert batches_ahead(seconds) == 0


@pytest.mark.parametrize(("seconds", "ahead"), [(5.0, 1), (1.0, 1), (0.05, 5), (0.001, AHEAD_AT_MOST)])
def test_the_shorter_the_batches_the_more_of_them_are_at_hand(seconds: float, ahead: int) -> None:
    assert batches_ahead(seconds) == ahead


def test_a_busy_slow_child_has_no_room_at_all() -> None:
    assert room(max_size=8, idle=False, ahead=0, pending=0) == 0


def test_an_idle_child_has_room_for_one_batch_less_what_is_at_hand() -> None:
    assert room(max_size=8, idle=True, ahead=0, pending=3) == 5


def test_room_is_never_negative() -> None:
    assert room(max_size=1, idle=True, ahead=0, pending=4) == 0


def test_the_estimate_follows_the_latest_batches() -> None:
    seconds = BatchSeconds()
    seconds.note(10.0)
    for _ in range(20):
        seconds.note(1.0)
    assert seconds.estimate == pytest.approx(1.0, abs=0.01)
