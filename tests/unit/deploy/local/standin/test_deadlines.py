from deploy.local.standin.deadlines import Deadlines


def test_the_earliest_comes_first_and_only_when_it_is_due() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("late", 2.0)
    deadlines.set("soon", 1.0)
    assert deadlines.next_due() == 1.0
    assert list(deadlines.pop_due(1.5)) == ["soon"]
    assert list(deadlines.pop_due(9.0)) == ["late"]
    assert deadlines.next_due() is None


def test_a_deadline_that_was_moved_counts_once_where_it_is_now() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for due in (1.0, 3.0, 2.0):
        deadlines.set("moved", due)
    assert deadlines.next_due() == 2.0
    assert list(deadlines.pop_due(9.0)) == ["moved"]


def test_one_that_was_discarded_is_not_due() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("gone", 1.0)
    deadlines.discard("gone")
    deadlines.discard("never there")
    assert deadlines.next_due() is None
    assert "gone" not in deadlines


def test_while_they_are_taken_new_ones_may_come() -> None:
    deadlines: Deadlines[int] = Deadlines()
    deadlines.set(0, 1.0)
    seen = []
    for key in deadlines.pop_due(1.0):
        seen.append(key)
        if key < 3:
            deadlines.set(key + 1, 1.0)
    assert seen == [0, 1, 2, 3]


def test_it_takes_room_for_what_is_due_and_not_for_what_was() -> None:
    deadlines: Deadlines[int] = Deadlines()
    deadlines.set(-1, 1e9)
    for key in range(10_000):
        deadlines.set(key, 1e6)
        deadlines.discard(key)
        deadlines.set(-1, 1e9 + key)
    assert len(deadlines._heap) < 200
    assert list(deadlines) == [-1]
