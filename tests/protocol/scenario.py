"""A small house to begin with, and everything that can happen in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.protocol import outside
from tests.protocol.attempts import Attempts
from tests.protocol.rules import Rules
from tests.protocol.values import UP, House, Job, Lease, Message, Move, Process, Publication


@dataclass(frozen=True)
class Scenario:
    """jobs: what each does to whoever runs it. lossy: the broker loses messages, and rule 11 makes up for it; both or none,
    for rule 11 must not be what hides a hole in the others. stranger: worker 0 serves the jobs' model, the others do not."""

    jobs: tuple[str, ...]
    workers: int = 1
    relays: int = 1
    faults: int = 1
    users: int = 1
    ttls: int = 0
    max_attempts: int = 2
    lossy: bool = True
    stranger: bool = False

    def beginning(self) -> House:
        """All jobs just submitted: each row is leased to its submitter, which is about to publish it."""
        numbers = range(1, self.workers + 1)
        return House(
            jobs=tuple(Job() for _ in self.jobs),
            processes=tuple(Process(incarnation=number) for number in numbers),
            publications=tuple(Publication(Message(number, 1), sent=False) for number in range(len(self.jobs))),
            leases=frozenset(Lease(number, over=False) for number in numbers),
            faults=self.faults,
            users=self.users,
            ttls=self.ttls,
        )

    def moves(self, rules: Rules, house: House) -> Iterator[Move]:
        yield from outside.users(rules, house)
        yield from outside.clock(rules, house)
        yield from outside.relays(rules, house, self.relays)
        yield from outside.broker(rules, house, lossy=self.lossy)
        yield from outside.database(rules, house)
        yield from outside.reconciler(rules, house)
        for number in range(self.workers):
            yield from self._worker(rules, house, number)

    def _worker(self, rules: Rules, house: House, number: int) -> Iterator[Move]:
        needed = not house.up() or (self.stranger and number == 0)
        worker = Attempts(rules, self.jobs, house, number, needed, stranger=self.stranger and number > 0)
        yield from worker.life()
        if worker.process.life != UP:
            yield from worker.late_claims()  # of a frozen one
            return
        yield from worker.heartbeat()
        yield from worker.receive()
        yield from worker.claim()
        yield from worker.start()
        yield from worker.run()
        yield from worker.stop()
        yield from worker.settle()
