"""Rule 7: after the database was away all leases look over, and nobody may be declared dead for it."""

import pytest

from api_service.reconciler import Contact

LEASE = 30.0


class Clock:
    now = 1000.0

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
    contact.made()
    for _ in range(int(seconds / 2)):
        clock.now += 2
        contact.made()


def test_it_is_not_long_enough_at_first(contact: Contact) -> None:
    assert not contact.long_enough
    contact.made()
    assert not contact.long_enough


def test_it_is_long_enough_after_one_whole_lease(contact: Contact, clock: Clock) -> None:
    ticks(contact, clock, LEASE - 2)
    assert not contact.long_enough
    clock.now += 2
    contact.made()
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
    contact.made()
    assert not contact.long_enough
    ticks(contact, clock, LEASE)
    assert contact.long_enough


def test_a_tick_that_takes_a_while_is_no_gap(contact: Contact, clock: Clock) -> None:
    ticks(contact, clock, LEASE)
    clock.now += LEASE / 2
    contact.made()
    assert contact.long_enough
