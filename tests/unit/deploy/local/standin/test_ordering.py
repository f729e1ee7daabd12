"""Messages with ordering keys."""

from deploy.local.standin.message import Consumer
from deploy.local.standin.policy import Backoff
from tests.unit.deploy.local.standin.scene import Scene, text


def ordered(**policy: object) -> Scene:
    scene = Scene(ordered=True, **policy)
    scene.add("a1", "a2", "a3", key="a")
    return scene


def test_a_key_comes_in_order_and_the_rest_of_it_only_when_nobody_has_any_of_it() -> None:
    scene = ordered()
    first, second = scene.take(2)
    assert [text(first), text(second)] == ["a1", "a2"]
    assert scene.texts() == []
    scene.ack(first)
    assert scene.texts() == []
    scene.ack(second)
    assert scene.texts() == ["a3"]


def test_whoever_has_one_of_a_key_gets_the_next_ones() -> None:
    scene = ordered()
    stream = Consumer()
    assert scene.texts(1, stream) == ["a1"]
    assert scene.texts() == []
    assert scene.texts(5, stream) == ["a2", "a3"]


def test_other_keys_and_those_without_go_on() -> None:
    scene = ordered()
    scene.one()
    scene.add("b1", key="b")
    scene.add("plain")
    assert scene.texts() == ["b1", "plain"]


def test_one_that_is_handed_back_brings_back_all_that_came_after_it() -> None:
    scene = ordered()
    first, second, third = scene.take()
    scene.ack(first)
    scene.ack(third)  # out of order
    scene.nack(second)
    assert sorted(one.wire for one in scene.queue.unacked()) == [b"a2", b"a3"]
    assert scene.texts() == ["a2", "a3"]


def test_what_comes_back_with_another_has_new_ack_ids() -> None:
    scene = ordered()
    first, second, _ = scene.take()
    scene.nack(first)
    assert scene.texts() == ["a1", "a2", "a3"]
    assert scene.ack(second) == [second.ack_id]


def test_one_whose_deadline_passes_does_so_too() -> None:
    scene = ordered(ack_deadline=10.0)
    first, second, third = scene.take()
    scene.extend(60, second, third)
    scene.pass_time(11)
    assert scene.texts() == ["a1", "a2", "a3"]
    assert scene.ack(first) == [first.ack_id]


def test_a_back_off_holds_up_the_key() -> None:
    scene = ordered(backoff=Backoff(10.0, 600.0))
    scene.nack(scene.one())
    scene.pass_time(9)
    assert scene.texts() == []
    scene.pass_time(1)
    assert scene.texts() == ["a1", "a2", "a3"]


def test_a_dead_letter_makes_way_for_the_next() -> None:
    scene = ordered(dead_letter_topic="graves", max_delivery_attempts=5)
    for _ in range(5):
        scene.nack(scene.one())
    assert scene.buried == [("a1", 5)]
    (second, _third) = scene.take()
    assert (text(second), second.attempt) == ("a2", 1)


def test_a_late_acknowledgement_in_the_middle_of_a_key_skips_it() -> None:
    scene = ordered()
    first, second, _ = scene.take()
    scene.queue.give_back([first])
    scene.ack(second)
    assert scene.texts() == ["a1", "a3"]


def test_nothing_is_left_of_a_key_that_is_done() -> None:
    scene = ordered()
    scene.ack(*reversed(scene.take()))
    assert not scene.queue._lanes


def test_without_ordering_keys_mean_nothing() -> None:
    scene = Scene()
    scene.add("a1", "a2", key="a")
    assert scene.texts(1) == ["a1"]
    assert scene.texts(1) == ["a2"]
