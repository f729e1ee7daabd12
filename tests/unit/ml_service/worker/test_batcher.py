"""When a batch is made, by an injected clock."""

import pytest

from ml_service.model import Batching
from ml_service.worker.batcher import Batcher


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def batcher(clock: Clock) -> Batcher[int]:
    return Batcher(Batching(max_size=3, max_wait=0.5), clock)


def test_nothing_is_due_while_nothing_waits(batcher: Batcher[int]) -> None:
    assert batcher.due_in(idle=True) is None


def test_an_idle_child_gets_what_there_is_at_once(batcher: Batcher[int]) -> None:
    batcher.add(1)
    assert batcher.due_in(idle=True) == 0.0


def test_a_busy_child_lets_a_batch_fill_for_max_wait_from_its_oldest_item(batcher: Batcher[int], clock: Clock) -> None:
    batcher.add(1)
    clock.now += 0.2
    batcher.add(2)
    assert batcher.due_in(idle=False) == pytest.approx(0.3)
    clock.now += 0.3
    assert batcher.due_in(idle=False) == 0.0


def test_a_full_batch_is_due_at_once(batcher: Batcher[int]) -> None:
    for item in range(3):
        batcher.add(item)
    assert batcher.due_in(idle=False) == 0.0


def test_takes_the_oldest_items_and_no_more_than_a_batch(batcher: Batcher[int]) -> None:
    for item in range(5):
        batcher.add(item)
    assert batcher.take() == [0, 1, 2]
    assert batcher.take() == [3, 4]
    assert len(batcher) == 0


def test_what_could_not_be_claimed_comes_first_again_and_does_not_wait_again(batcher: Batcher[int]) -> None:
    for item in (1, 2):
        batcher.add(item)
    taken = batcher.take()
    batcher.add(3)
    batcher.put_first(taken)
    assert batcher.due_in(idle=False) == 0.0
    assert batcher.take() == [1, 2, 3]
