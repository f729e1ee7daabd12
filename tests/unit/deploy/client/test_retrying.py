"""When a request is sent again, and when not."""

import math
import time
from email.utils import formatdate

import pytest

from deploy.client.effects import Answer, Broken, Request
from deploy.client.errors import ConnectionFailed, ProblemError, UnexpectedAnswer
from deploy.client.retrying import Policy, Repeat, call, is_passing, pause_before, retry_after, worth_repeating
from tests.unit.deploy.client.playing import LOST, REFUSED, Play, ok, problem

GET = Request("GET", "/v1/models", 30.0)
POST = Request("POST", "/v1/jobs/1/retry", 30.0)


@pytest.mark.parametrize(
    ("got", "always", "undone"),
    [
        (LOST, True, False),
        (REFUSED, True, True),
        (problem(429), True, True),
        (problem(502), True, False),
        (problem(503), True, False),
        (problem(504), True, False),
        (problem(409, "idempotency_key_in_use"), True, False),
        (problem(409, "wrong_state"), False, False),
        (problem(400), False, False),
        (problem(401), False, False),
        (problem(404), False, False),
        (problem(422, "idempotency_key_reused"), False, False),
        (problem(500), False, False),
    ],
)
def test_only_what_may_go_better_and_can_do_no_harm_is_repeated(
    got: Answer | Broken, *, always: bool, undone: bool
) -> None:
    assert worth_repeating(got, Repeat.ALWAYS) is always
    assert worth_repeating(got, Repeat.UNDONE) is undone
    assert not worth_repeating(got, Repeat.NEVER)


def test_pauses_double_up_to_the_longest_and_are_shortened_by_up_to_half() -> None:
    most, least = Policy(chance=lambda: 1.0), Policy(chance=lambda: 0.0)

    assert [pause_before(n, LOST, most) for n in (1, 2, 3, 6, 7, 1000)] == [0.25, 0.5, 1.0, 8.0, 8.0, 8.0]
    assert [pause_before(n, LOST, least) for n in (1, 2)] == [0.125, 0.25]


def test_what_the_server_asks_for_is_a_minimum() -> None:
    assert pause_before(1, problem(503, **{"retry-after": "7"}), Policy(chance=lambda: 0.0)) == 7.125


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "²"])
def test_a_retry_after_that_cannot_be_read_is_none(text: str) -> None:
    assert retry_after(problem(503, **{"retry-after": text})) is None


def test_retry_after_may_be_a_time_of_day() -> None:
    then = formatdate(time.time() + 100, usegmt=True)

    assert retry_after(problem(503, **{"retry-after": then})) == pytest.approx(100, abs=5)
    assert retry_after(problem(503, **{"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})) == 0


def test_it_goes_on_until_something_gets_through() -> None:
    play = Play([LOST, problem(503, **{"retry-after": "2"}), problem(429), ok()])

    assert play.run(call(play.policy, GET, Repeat.ALWAYS)).status == 200
    assert play.pauses == [0.25, 2.5, 1.0]


def test_patience_ends_and_the_last_reason_is_told() -> None:
    play = Play([LOST] * 100)

    with pytest.raises(ConnectionFailed, match="the line is dead") as raised:
        play.run(call(play.policy, GET, Repeat.ALWAYS))

    assert play.now <= 60 < play.now + 8
    assert "look before you repeat" not in str(raised.value)


def test_a_server_that_wants_more_time_than_there_is_patience_is_not_waited_for() -> None:
    play = Play([problem(429, "quota", **{"retry-after": "3600"})])

    with pytest.raises(ProblemError, match="Try again in 3600 s") as raised:
        play.run(call(play.policy, GET, Repeat.ALWAYS))

    assert (raised.value.code, raised.value.retry_after, play.pauses) == ("quota", 3600, [])
    assert is_passing(raised.value)


def test_who_gave_no_key_is_told_where_one_goes() -> None:
    play = Play([problem(401, "unauthenticated")])

    with pytest.raises(ProblemError, match="TORCHRELAY_API_KEY"):
        play.run(call(play.policy, GET, Repeat.ALWAYS))


def test_what_may_have_been_done_is_not_repeated_and_this_is_said() -> None:
    play = Play([REFUSED, LOST])

    with pytest.raises(ConnectionFailed, match="look before you repeat") as raised:
        play.run(call(play.policy, POST, Repeat.UNDONE))

    assert raised.value.uncertain
    assert len(play.requests) == 2


def test_no_pause_goes_beyond_the_time_that_was_given() -> None:
    play = Play([LOST] * 100)

    with pytest.raises(ConnectionFailed):
        play.run(call(play.policy, GET, Repeat.ALWAYS, until=3.0))

    assert play.now <= 3.0
    assert all(request.read_timeout <= 3.0 for request in play.requests)


def test_a_redirection_and_a_page_of_a_proxy_are_told_apart_from_problems() -> None:
    play = Play([ok("", 307)])
    with pytest.raises(UnexpectedAnswer, match="307"):
        play.run(call(play.policy, GET, Repeat.ALWAYS))

    play = Play([ok("<html>", 413)])
    with pytest.raises(ProblemError) as raised:
        play.run(call(play.policy, GET, Repeat.ALWAYS))
    assert (raised.value.status, raised.value.code) == (413, "http_413")


def test_patience_of_none_tries_once() -> None:
    play = Play([REFUSED, ok()])
    policy = Policy(patience=0.0, clock=lambda: 0.0, chance=lambda: 1.0)

    with pytest.raises(ConnectionFailed):
        play.run(call(policy, GET, Repeat.ALWAYS, until=math.inf))
