"""What becomes of messages, without a server and without waiting."""

import random
from itertools import chain

import pytest

from deploy.local.standin.errors import InvalidArgument
from deploy.local.standin.message import Consumer
from deploy.local.standin.policy import Backoff
from deploy.local.standin.subscription import MOST_BYTES
from tests.unit.deploy.local.standin.scene import Scene, text


def test_messages_come_in_the_order_in_which_they_were_published_and_once() -> None:
    scene = Scene()
    scene.add("a", "b", "c")
    assert scene.texts(2) == ["a", "b"]
    assert scene.texts() == ["c"]
    assert scene.texts() == []


def test_an_answer_has_at_least_one_message_and_otherwise_no_more_than_ten_megabytes() -> None:
    scene = Scene()
    huge, half = "x" * (MOST_BYTES + 1), "x" * (MOST_BYTES // 2)
    scene.add(huge, half, half, "small")
    assert [len(one) for one in scene.texts()] == [len(huge)]
    assert [len(one) for one in scene.texts()] == [len(half), len(half)]
    assert scene.texts() == ["small"]


def test_what_is_acknowledged_never_comes_again() -> None:
    scene = Scene()
    scene.add("a")
    assert scene.ack(scene.one()) == []
    scene.pass_time(1_000)
    assert scene.texts() == []


def test_what_is_not_acknowledged_comes_again_after_its_deadline_with_another_ack_id() -> None:
    scene = Scene(ack_deadline=10.0)
    scene.add("a")
    first = scene.one()
    scene.pass_time(9.9)
    assert scene.texts() == []
    scene.pass_time(0.1)
    second = scene.one()
    assert second.message is first.message
    assert second.ack_id != first.ack_id


def test_a_client_may_have_a_deadline_of_its_own() -> None:
    scene = Scene(ack_deadline=10.0)
    scene.add("a")
    scene.take(1, seconds=60.0)
    scene.pass_time(59)
    assert scene.texts() == []
    scene.pass_time(1)
    assert scene.texts() == ["a"]


def test_extending_counts_from_now() -> None:
    scene = Scene(ack_deadline=10.0)
    scene.add("a")
    delivery = scene.one()
    scene.pass_time(9)
    assert scene.extend(10, delivery) == []
    scene.pass_time(9)
    assert scene.texts() == []
    scene.pass_time(1)
    assert scene.texts() == ["a"]


def test_what_is_handed_back_comes_at_once_after_those_that_wait() -> None:
    scene = Scene()
    scene.add("a", "b")
    scene.nack(scene.one())
    assert scene.texts() == ["b", "a"]


def test_a_late_acknowledgement_counts_until_the_message_was_delivered_again() -> None:
    scene = Scene()
    scene.add("a")
    first = scene.one()
    scene.pass_time(11)
    assert scene.ack(first) == []
    assert scene.texts() == []


def test_an_acknowledgement_of_the_delivery_before_means_nothing() -> None:
    scene = Scene()
    scene.add("a")
    first = scene.one()
    scene.pass_time(11)
    second = scene.one()
    assert scene.ack(first) == [first.ack_id]
    assert scene.extend(0, first) == [first.ack_id]
    scene.nack(second)
    assert scene.texts() == ["a"]


def test_with_exactly_once_delivery_late_is_too_late() -> None:
    scene = Scene(exactly_once=True)
    scene.add("a")
    first = scene.one()
    scene.pass_time(11)
    assert scene.ack(first) == [first.ack_id]
    assert scene.texts() == ["a"]


def test_ack_ids_that_nobody_ever_had_are_told_from_those_of_another_time() -> None:
    scene, other = Scene(), Scene()
    other.add("a")
    scene.queue.check([other.one().ack_id])
    with pytest.raises(InvalidArgument, match="bogus"):
        scene.queue.check(["bogus"])


def test_attempts_are_counted_by_failures_and_the_last_one_is_buried() -> None:
    scene = Scene(dead_letter_topic="graves", max_delivery_attempts=5)
    scene.add("poison")
    for attempt in range(1, 5):
        delivery = scene.one()
        assert delivery.attempt == attempt
        scene.nack(delivery)
    scene.one()
    scene.pass_time(11)  # a deadline that passes counts like a message handed back
    assert scene.buried == [("poison", 5)]
    assert scene.texts() == []


def test_without_a_place_for_dead_letters_a_message_stays() -> None:
    scene = Scene(dead_letter_topic="graves", max_delivery_attempts=5)
    scene.has_grave = False
    scene.add("poison")
    for _ in range(6):
        scene.nack(scene.one())
    assert scene.texts() == ["poison"]
    assert scene.buried == []


def test_the_retry_policy_doubles_from_the_first_failure_up_to_its_limit() -> None:
    scene = Scene(backoff=Backoff(10.0, 30.0))
    scene.add("a")
    for pause in (10, 20, 30, 30):
        scene.nack(scene.one())
        scene.pass_time(pause - 1)
        assert scene.texts() == []
        scene.pass_time(1)
    assert scene.texts() == ["a"]


def test_a_back_off_that_has_failed_often_does_not_overflow() -> None:
    assert Backoff(10.0, 600.0).after(100_000) == 600.0


def test_what_did_not_reach_its_client_comes_at_once_and_counts_for_nothing() -> None:
    scene = Scene(dead_letter_topic="graves", max_delivery_attempts=5, backoff=Backoff(10.0, 600.0))
    scene.add("a")
    for _ in range(10):
        lost = scene.one()
        assert lost.attempt == 1
        scene.queue.give_back([lost])
    assert scene.texts() == ["a"]


def test_what_was_acknowledged_or_delivered_to_another_is_not_given_back() -> None:
    scene = Scene()
    scene.add("a", "b")
    first, second = scene.take()
    scene.ack(first)
    scene.nack(second)
    again = scene.one()
    scene.queue.give_back([first, second])
    assert scene.texts() == []
    scene.ack(again)


def test_a_client_that_goes_away_keeps_what_it_has_spoken_of() -> None:
    """The client library goes on with what it has begun, and acknowledges by other calls, after it has closed its stream."""
    scene = Scene()
    stream, other = Consumer(), Consumer()
    scene.add("begun", "unseen", "other's")
    begun, _ = scene.take(2, stream)
    scene.take(1, other)
    scene.extend(60, begun)
    scene.queue.abandon(stream)
    assert scene.texts() == ["unseen"]
    assert scene.ack(begun) == []


def test_with_exactly_once_delivery_nothing_is_given_back_before_its_deadline() -> None:
    scene = Scene(exactly_once=True)
    stream = Consumer()
    scene.add("a")
    scene.take(1, stream)
    scene.queue.abandon(stream)
    assert scene.texts() == []


def test_a_consumer_knows_what_is_outstanding() -> None:
    scene = Scene()
    stream = Consumer()
    scene.add("four", "three", "gone", "late")
    acked, nacked, _, late = scene.take(4, stream)
    assert (stream.messages, stream.bytes) == (4, 17)
    scene.ack(acked)
    scene.nack(nacked)
    scene.extend(60, late)
    scene.pass_time(11)
    assert (stream.messages, stream.bytes) == (1, 4)
    scene.queue.clear()
    assert (stream.messages, stream.bytes) == (0, 0)


def test_a_delayed_message_comes_after_its_delay() -> None:
    scene = Scene()
    scene.queue.add(scene.message("late"), delay=5.0)
    scene.add("now")
    assert scene.texts() == ["now"]
    assert scene.queue.next_due() == scene.clock.now + 5.0
    scene.pass_time(5)
    assert scene.texts() == ["late"]


def test_a_reordered_message_comes_anywhere() -> None:
    scene = Scene()
    chance = random.Random(1)
    for number in range(20):
        scene.queue.add(scene.message(str(number)), at=chance)
    shuffled = scene.texts()
    assert shuffled != sorted(shuffled, key=int)
    assert sorted(shuffled, key=int) == [str(number) for number in range(20)]


def test_messages_are_forgotten_when_their_retention_is_over() -> None:
    scene = Scene(retention=600.0, retain_acked=True)
    scene.add("acked", "waiting", "leased")
    acked, *_ = scene.take(1)
    scene.ack(acked)
    leased = scene.take(2, seconds=10_000)
    scene.nack(leased[0])
    scene.pass_time(601)
    assert scene.queue.unacked() == []
    assert list(scene.queue.acked()) == []
    assert scene.texts() == []


def test_nothing_is_left_of_what_was_acknowledged() -> None:
    """Neither in the maps, nor in the heaps behind the deadlines."""
    scene = Scene(ack_deadline=600.0)
    for _ in range(200):
        scene.add(*map(str, range(50)))
        scene.ack(*scene.take())
    queue = scene.queue
    assert not queue._delivered
    assert not queue._unacked
    assert not queue._ready
    assert len(queue._leases._heap) < 100


def test_seeking_back_brings_what_was_acknowledged_and_retained() -> None:
    scene = Scene(retain_acked=True)
    scene.add("before")
    scene.clock.now += 1
    since = scene.clock.now
    scene.add("acked", "leased", "waiting")
    deliveries = scene.take(3)
    scene.ack(*deliveries[:2])
    scene.queue.seek(lambda message: message.published_at >= since, [])
    assert scene.texts() == ["acked", "leased", "waiting"]
    assert scene.ack(deliveries[2]) == [deliveries[2].ack_id]


def test_seeking_back_without_retention_brings_only_what_is_still_there() -> None:
    scene = Scene()
    scene.add("acked", "leased", "waiting")
    acked, _leased = scene.take(2)
    scene.ack(acked)
    scene.queue.seek(lambda _message: True, [])
    assert sorted(scene.texts()) == ["leased", "waiting"]


def test_seeking_forward_acknowledges_and_back_again_undoes_it() -> None:
    scene = Scene(retain_acked=True)
    scene.add("a", "b")
    scene.queue.seek(lambda _message: False, [])
    assert scene.texts() == []
    scene.queue.seek(lambda _message: True, [])
    assert scene.texts() == ["a", "b"]


def test_seeking_takes_what_others_have_kept_once() -> None:
    scene = Scene(retain_acked=True)
    scene.add("a", "b")
    kept = scene.queue.unacked()
    scene.ack(*scene.take(1))
    scene.queue.seek(lambda _message: True, [*kept, *kept])
    assert scene.texts() == ["a", "b"]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_done_every_message_is_acknowledged_or_there(seed: int) -> None:
    """A random walk. At its end all leases run out, and exactly what was never acknowledged comes."""
    chance = random.Random(seed)
    scene = Scene(ack_deadline=10.0, backoff=Backoff(1.0, 4.0), ordered=bool(seed % 2))
    published, acked, out = 0, set[str](), []
    for _ in range(3_000):
        match chance.choice(("add", "take", "ack", "nack", "extend", "lose", "time")):
            case "add":
                scene.add(str(published), key=chance.choice(("", "a", "b")))
                published += 1
            case "take":
                out += scene.take(chance.randrange(1, 5))
            case "time":
                scene.pass_time(chance.uniform(0, 5))
            case deed if out:
                delivery = out.pop(chance.randrange(len(out)))
                if deed == "ack":
                    acked |= set() if scene.ack(delivery) else {text(delivery)}
                elif deed == "lose":
                    scene.queue.give_back([delivery])
                else:
                    scene.extend(0 if deed == "nack" else 20, delivery)
    left: set[str] = set()
    for _ in range(60):
        scene.pass_time(30)
        deliveries = scene.take()
        left |= set(map(text, deliveries))
        acked |= set(map(text, chain(deliveries)))
        scene.ack(*deliveries)
    assert acked == set(map(str, range(published)))
    assert scene.queue.unacked() == []
    assert not scene.queue._lanes
    assert not scene.queue._leases
    assert not scene.queue._delivered
