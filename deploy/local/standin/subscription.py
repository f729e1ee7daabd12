"""The messages of one subscription: which wait, which are with whom until when, which are done.

Plain state. Nothing here waits: `desk` does, for `next_due`.
"""

import random
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from deploy.local.standin.deadlines import Deadlines
from deploy.local.standin.errors import InvalidArgument
from deploy.local.standin.message import Consumer, Delivery, Entry, Message, State
from deploy.local.standin.ordering import Lane
from deploy.local.standin.policy import Policy

Clock = Callable[[], float]
Bury = Callable[[Message, int], bool]  # to the dead letters, with the number of attempts; False: there is no place

_ACK_ID = re.compile(r"[A-Za-z0-9_-]{8}:[0-9a-f]+")
MOST_BYTES = 10_000_000  # that one answer to a client carries, unless a single message has more


class Subscription:
    def __init__(self, policy: Policy, clock: Clock, bury: Bury) -> None:
        self.policy = policy
        self._clock = clock
        self._bury = bury
        self._ready: deque[Entry] = deque()
        self._lanes: dict[str, Lane] = {}
        self._resting: Deadlines[Entry] = Deadlines()
        self._leases: Deadlines[Entry] = Deadlines()
        self._delivered: dict[str, Entry] = {}  # by ack id
        self._unacked: dict[Entry, None] = {}  # in the order in which they came
        self._acked: deque[Message] = deque()  # only if they are retained
        self._prefix = secrets.token_urlsafe(6)  # of ack ids: another process's, or another subscription's, fit nothing
        self._numbers = count(1)

    # What comes in

    def add(self, message: Message, *, delay: float = 0.0, at: random.Random | None = None) -> None:
        """A new one. `delay`: seconds before it can be delivered; `at`: puts it anywhere among those that wait."""
        if self.policy.ordered and message.ordering_key:
            lane = self._lanes.setdefault(message.ordering_key, Lane(message.ordering_key))
            entry = Entry(message, lane)
            lane.waiting.append(entry)
        else:
            entry = Entry(message, None)
            if not delay:
                self._ready.insert(at.randrange(len(self._ready) + 1) if at else len(self._ready), entry)
        self._unacked[entry] = None
        if delay:
            self._rest(entry, delay)

    # What goes out

    @property
    def stirring(self) -> bool:
        """Whether there may be something to deliver: False is certain."""
        return bool(self._ready or self._lanes)

    def take(self, consumer: Consumer, most: int, most_bytes: int = MOST_BYTES) -> list[Delivery]:
        """Leases what can be delivered to this consumer now."""
        due = self._clock() + (consumer.ack_deadline or self.policy.ack_deadline)
        taken: list[Delivery] = []
        room = min(most_bytes, MOST_BYTES)
        while len(taken) < most and (entry := self._next(consumer, room if taken else None)):
            room -= len(entry.message.wire)
            taken.append(self._lease(entry, consumer, due))
        return taken

    def _next(self, consumer: Consumer, room: int | None) -> Entry | None:
        """Removes one from those that wait; None if there is none of at most `room` bytes."""
        for lane in self._lanes.values() if self._lanes else ():
            if lane.open_to(consumer):
                return lane.lease(consumer) if _fits(lane.waiting[0], room) else None
        ready = self._ready
        while ready:
            if ready[0].state is not State.READY:
                ready.popleft()
                continue
            return ready.popleft() if _fits(ready[0], room) else None
        return None

    def _lease(self, entry: Entry, consumer: Consumer, due: float) -> Delivery:
        if entry.ack_id:
            self._delivered.pop(entry.ack_id, None)
        ack_id = f"{self._prefix}:{next(self._numbers):x}"
        entry.ack_id, entry.state, entry.holder, entry.confirmed = ack_id, State.LEASED, consumer, False
        self._delivered[ack_id] = entry
        self._leases.set(entry, due)
        consumer.gained(len(entry.message.wire))
        return Delivery(ack_id, entry.message, entry.failures + 1)

    # What clients say of it

    def check(self, ack_ids: Iterable[str]) -> None:
        """Raises InvalidArgument for one that no stand-in has ever given to anybody."""
        for ack_id in ack_ids:
            if ack_id not in self._delivered and not _ACK_ID.fullmatch(ack_id):
                raise InvalidArgument(f"Invalid ack id (ack_id={ack_id}).")

    def acknowledge(self, ack_ids: Iterable[str]) -> list[str]:
        """Returns those that have no meaning (any more). Late is not too late, as long as the message has not been
        delivered again; with exactly-once delivery it is.
        """
        return [ack_id for ack_id in ack_ids if not self._acknowledge(ack_id)]

    def _acknowledge(self, ack_id: str) -> bool:
        entry = self._delivered.get(ack_id)
        if entry is None or (self.policy.exactly_once and entry.state is not State.LEASED):
            return False
        self._finish(entry)
        return True

    def extend(self, ack_ids: Iterable[str], seconds: float) -> list[str]:
        """Until `seconds` from now; 0 hands it back. Returns those that have no meaning (any more)."""
        return [ack_id for ack_id in ack_ids if not self._extend(ack_id, seconds)]

    def _extend(self, ack_id: str, seconds: float) -> bool:
        entry = self._delivered.get(ack_id)
        if entry is None or entry.state is not State.LEASED:
            return False
        if seconds > 0:
            entry.confirmed = True
            self._leases.set(entry, self._clock() + seconds)
        else:
            self._leases.discard(entry)
            self._fail(entry)
        return True

    def give_back(self, deliveries: Iterable[Delivery]) -> None:
        """They did not reach their client, or it went away without a word of them: that is nobody's failure."""
        entries = [self._delivered.get(delivery.ack_id) for delivery in deliveries]
        self._give_back([entry for entry in entries if entry is not None and not entry.confirmed])

    def _give_back(self, entries: list[Entry]) -> None:
        for entry in entries:
            if entry.state is State.LEASED:
                self._leases.discard(entry)
                self._release(entry)
                self._again(entry, 0.0)

    def abandon(self, consumer: Consumer) -> None:
        """Its stream has ended. What it has confirmed stays with it, and may still be acknowledged by other calls."""
        if not self.policy.exactly_once:
            gone = [entry for entry in self._leases if entry.holder is consumer and not entry.confirmed]
            self._give_back(gone)

    # What time does

    def next_due(self) -> float | None:
        """When `advance` has something to do."""
        return min(
            (due for due in (self._leases.next_due(), self._resting.next_due()) if due is not None), default=None
        )

    def advance(self) -> None:
        now = self._clock()
        for entry in self._leases.pop_due(now):
            self._fail(entry)
        for entry in self._resting.pop_due(now):
            self._wake(entry)
        self._expire(now)

    def _expire(self, now: float) -> None:
        """Retention is looked after when there is something to do anyway, and before a seek or a snapshot."""
        oldest = now - self.policy.retention
        while self._acked and self._acked[0].published_at < oldest:
            self._acked.popleft()
        while (entry := next(iter(self._unacked), None)) and entry.message.published_at < oldest:
            self._forget(entry)

    # Seeking

    def unacked(self) -> list[Message]:
        self._expire(self._clock())
        return [entry.message for entry in self._unacked]

    def acked(self) -> Sequence[Message]:
        """Those that are retained."""
        self._expire(self._clock())
        return self._acked

    def seek(self, wanted: Callable[[Message], bool], others: Iterable[Message]) -> None:
        """Afterwards exactly the wanted ones are not acknowledged: of those here, and of `others`. Nobody has one."""
        here = self.unacked()
        known = {message.id for message in here}
        back = [message for message in (*self._acked, *others) if message.id not in known and wanted(message)]
        kept = {message.id: message for message in (*here, *back) if wanted(message)}
        if self.policy.retain_acked:
            retained = {message.id: message for message in (*self._acked, *here) if message.id not in kept}
            self._acked = deque(sorted(retained.values(), key=_age))
        self.clear()
        for message in sorted(kept.values(), key=_age):
            self.add(message)

    def clear(self) -> None:
        """Nothing waits, and nobody has anything."""
        for entry in self._unacked:
            if entry.holder is not None:
                entry.holder.lost(len(entry.message.wire))
            entry.state = State.GONE
        for container in (self._ready, self._lanes, self._resting, self._leases, self._delivered, self._unacked):
            container.clear()

    # From one state to another

    def _finish(self, entry: Entry) -> None:
        if self.policy.retain_acked:
            self._acked.append(entry.message)
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        self._leases.discard(entry)
        self._resting.discard(entry)
        if entry.state is State.LEASED:
            self._release(entry)
        elif entry.lane is not None and entry.state is State.RESTING:
            entry.lane.resting = False
        entry.state = State.GONE
        self._delivered.pop(entry.ack_id, None)
        self._unacked.pop(entry, None)
        if entry.lane is not None:
            self._trim(entry.lane)

    def _trim(self, lane: Lane) -> None:
        lane.trim()
        if lane.empty:
            self._lanes.pop(lane.key, None)

    def _release(self, entry: Entry) -> None:
        """It is with nobody any more."""
        assert entry.holder is not None
        entry.holder.lost(len(entry.message.wire))
        entry.holder = None
        entry.state = State.READY
        if entry.lane is not None:
            entry.lane.released()

    def _fail(self, entry: Entry) -> None:
        self._release(entry)
        entry.failures += 1
        policy = self.policy
        worn_out = policy.dead_letter_topic and entry.failures >= policy.max_delivery_attempts
        if worn_out and self._bury(entry.message, entry.failures):
            self._forget(entry)
        else:
            self._again(entry, policy.backoff.after(entry.failures) if policy.backoff else 0.0)

    def _again(self, entry: Entry, delay: float) -> None:
        """It waits again, with all of its key that came after it."""
        if entry.lane is not None:
            for later in entry.lane.rewind(entry):
                if later.state is State.LEASED:
                    self._leases.discard(later)
                    self._release(later)
                later.state = State.READY
                self._unacked[later] = None
        elif not delay:
            self._ready.append(entry)
        if delay:
            self._rest(entry, delay)

    def _rest(self, entry: Entry, delay: float) -> None:
        entry.state = State.RESTING
        if entry.lane is not None:
            entry.lane.resting = True
        self._resting.set(entry, self._clock() + delay)

    def _wake(self, entry: Entry) -> None:
        entry.state = State.READY
        if entry.lane is not None:
            entry.lane.resting = False
        else:
            self._ready.append(entry)


def _fits(entry: Entry, room: int | None) -> bool:
    return room is None or len(entry.message.wire) <= room


def _age(message: Message) -> tuple[float, int]:
    """As they were published; ids rise."""
    return message.published_at, int(message.id)
