"""Queues that could not be published to rest for longer and longer, and only they."""

from api_service.resting import RETRY_FIRST, RETRY_MOST, RestingQueues


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_queue_that_failed_rests_until_it_is_tried_again() -> None:
    clock = Clock()
    queues = RestingQueues(clock)
    queues.failed("bad")
    assert queues.now() == ["bad"]
    clock.now += RETRY_FIRST
    assert queues.now() == []


def test_each_failure_in_a_row_doubles_the_rest_up_to_a_limit() -> None:
    clock = Clock()
    queues = RestingQueues(clock)
    rests = []
    for _ in range(8):
        begin = clock.now
        queues.failed("bad")
        while queues.now():
            clock.now += RETRY_FIRST / 2
        rests.append(round(clock.now - begin, 1))
    assert rests == [0.2, 0.4, 0.8, 1.6, 3.2, RETRY_MOST, RETRY_MOST, RETRY_MOST]


def test_failures_during_a_rest_do_not_prolong_it() -> None:
    """Many calls that were under way fail together: that is one failure."""
    clock = Clock()
    queues = RestingQueues(clock)
    for _ in range(10):
        queues.failed("bad")
    clock.now += RETRY_FIRST
    assert queues.now() == []


def test_an_answer_ends_the_rest_and_forgets_the_failures() -> None:
    clock = Clock()
    queues = RestingQueues(clock)
    queues.failed("bad")
    clock.now += RETRY_FIRST
    queues.failed("bad")
    queues.answered("bad")
    assert queues.now() == []
    queues.failed("bad")
    clock.now += RETRY_FIRST
    assert queues.now() == []
