"""Rule 7: after the database was away all leases look over, and nobody may be declared dead for it."""

import pytest

from api_service.reconciler import Contact

LEASE = 30.0


class Clock:
    now = 1000.0
    jumped = 0.0  # the database's, ahead of ours

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def contact(clock: Clock) -> Contact:
    return Contact(LEASE, clock)


def ticks(contact: Contact, clock: Clock, seconds: float) -> None:
    """In contact for so long, every two seconds."""
    made(contact, clock)
    for _ in range(int(seconds / 2)):
        clock.now += 2
        made(contact, clock)


def made(contact: Contact, clock: Clock) -> None:
    contact.made(1e9 + clock.now + clock.jumped)


def test_it_is_not_long_enough_at_first(contact: Contact, clock: Clock) -> None:
    assert not contact.long_enough
    made(contact, clock)
    assert not contact.long_enough


def test_it_is_long_enough_after_one_whole_lease(contact: Contact, clock: Clock) -> None:
    ticks(contact, clock, LEASE - 2)
    assert not contact.long_enough
    clock.now += 2
    made(contact, clock)
    assert contact.long_enough


def test_a_failure_begins_it_anew(contact: Contact, clock: Clock) -> None:
    ticks(contact, clock, LEASE)
    contact.lost()
    assert not contact.long_enough
    ticks(contact, clock, LEASE - 2)
    assert not contact.long_enough
    clock.now += 2
    assert contact.long_enough


def test_a_gap_begins_it_anew(contact: Contact, clock: Clock) -> None:
    """Whoever was frozen knows nothing of the time in between: the database may have been away, too."""
    ticks(contact, clock, LEASE)
    clock.now += LEASE / 2 + 1
    made(contact, clock)
    assert not contact.long_enough
    ticks(contact, clock, LEASE)
    assert contact.long_enough


def test_a_tick_that_takes_a_while_is_no_gap(contact: Contact, clock: Clock) -> None:
    ticks(contact, clock, LEASE)
    clock.now += LEASE / 2
    made(contact, clock)
    assert contact.long_enough


@pytest.mark.parametrize("jump", [LEASE / 2 + 1, -LEASE / 2 - 1, 3600])
def test_a_jump_of_the_database_s_clock_begins_it_anew(contact: Contact, clock: Clock, jump: float) -> None:
    """All leases look over, as after an outage. A machine that was suspended has not counted the time with its own clock."""
    ticks(contact, clock, LEASE)
    clock.jumped = jump
    clock.now += 2
    made(contact, clock)
    assert not contact.long_enough
    ticks(contact, clock, LEASE)
    assert contact.long_enough


def test_a_clock_that_is_corrected_a_little_is_no_jump(contact: Contact, clock: Clock) -> None:
    ticks(contact, clock, LEASE)
    for jump in (LEASE / 2, 0):
        clock.jumped = jump
        made(contact, clock)
        assert contact.long_enough


def test_clocks_that_never_agreed_are_no_jump(contact: Contact, clock: Clock) -> None:
    clock.jumped = -3600
    ticks(contact, clock, LEASE)
    assert contact.long_enough


def test_a_process_that_has_just_started_has_missed_nothing(contact: Contact, clock: Clock) -> None:
    assert not contact.mended
    made(contact, clock)
    assert contact.mended


@pytest.mark.parametrize("how", ["lost", "gap", "jump"])
def test_what_was_missed_is_mended_after_one_whole_lease(contact: Contact, clock: Clock, how: str) -> None:
    made(contact, clock)
    match how:
        case "lost":
            contact.lost()
        case "gap":
            clock.now += LEASE / 2 + 1
        case "jump":
            clock.jumped = 3600
    made(contact, clock)
    assert not contact.mended
    ticks(contact, clock, LEASE)
    assert contact.mended


def test_a_database_that_says_in_the_end_that_it_was_too_slow_was_there(contact: Contact, clock: Clock) -> None:
    """With a lease of less than twenty seconds it takes longer for that than a gap is."""
    ticks(contact, clock, LEASE)
    clock.now += LEASE
    contact.held_up()
    made(contact, clock)
    assert contact.long_enough
