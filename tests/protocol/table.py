"""All that a history has put on the table: the model's rows beside the real ones, workers, relays, and a bag of messages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.database.entries import FREE_LOSSES
from shared.states import TRANSITIONS, JobState
from tests.protocol.real import Real
from tests.protocol.rules import Rules
from tests.protocol.values import CANCELLED, FINISHED, HELD, QUEUED, SUCCEEDED, Job, Lease, Message, Publication

MODELS = ("echo", "other")
QUEUE = "shared"  # both models' (rule 5)
MAX_ATTEMPTS = 2

# An attempt: (job number, attempt).
Claim = tuple[int, int]

_COMPARED = ("state", "attempt", "charged", "publish_no", "published", "leased", "due", "started", "alone", "late")


@dataclass
class Incarnation:
    """A row of `workers`, and the process behind it, which may have died without a word."""

    id: UUID
    number: int
    model: str
    row: str = "alive"  # over: alive, but its lease is; dead; stopped
    up: bool = True
    tasks: list[Claim] = field(default_factory=list)  # what the process knows that it holds


@dataclass
class Known:
    """A job that was submitted: its row as the model has it, and its result.

    over: the time has come to purge what is to be purged next. gone: deleted or purged; `row` is what it was at last.
    waits_on: put back just now, so that its deadline is that of an earlier entry.
    """

    id: UUID
    model: str
    row: Job
    result: str | None = None
    over: bool = False
    gone: bool = False
    waits_on: bool = False

    def becomes(self, row: Job, *, retried: bool = False) -> None:
        """Safety: no statement may break a promise, whatever came before."""
        before, self.row = self.row, row
        assert not self.gone or row == before
        assert row.attempt >= before.attempt
        assert row.publish_no >= before.publish_no
        assert row.state == before.state or row.state in TRANSITIONS[JobState(before.state)]
        assert row.state == before.state or retried == (before.state in FINISHED)
        assert row.results == (row.state == SUCCEEDED)
        assert row.charged < MAX_ATTEMPTS or row.state in FINISHED

    def is_held(self, attempt: int) -> bool:
        return self.row.state in HELD and self.row.attempt == attempt


class Table:
    def __init__(self, real: Real) -> None:
        self.real = real
        self.real.clear()
        self.rules = Rules(MAX_ATTEMPTS, free_losses=FREE_LOSSES)
        self.jobs: list[Known] = []
        self.workers: list[Incarnation] = []
        self.publications: list[Publication] = []  # what relays are about
        self.bag: list[Message] = []  # what the broker may deliver, as often as it likes
        self.old: list[Message] = []  # every message that ever was
        self.claims: list[Claim] = []  # every attempt that ever was

    def number(self, job_id: UUID) -> int:
        return next(number for number, job in enumerate(self.jobs) if job.id == job_id)

    def ids(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[UUID, int]]:
        return [(self.jobs[number].id, counted) for number, counted in pairs]

    def where(self, *states: str) -> list[Known]:
        return [job for job in self.jobs if job.row.state in states]

    def waiting(self) -> list[Known]:
        return self.where(QUEUED)

    def held(self) -> list[Claim]:
        return [claim for claim in self.claims if self.jobs[claim[0]].is_held(claim[1])]

    def leases(self) -> set[Lease]:
        return {Lease(one.number, one.row == "over") for one in self.workers if one.row in {"alive", "over"}}

    def fit(self, worker: Incarnation) -> bool:
        return self.rules.fit(self.leases(), worker.number)

    def serving(self) -> list[Incarnation]:
        """Processes that are up, with a lease that is not over."""
        return [worker for worker in self.workers if worker.up and worker.row == "alive"]

    def compare(self) -> None:
        """Each real row is what the model says."""
        rows = self.real.rows()
        there = [job for job in self.jobs if not job.gone]
        assert rows.keys() == {job.id for job in there}
        numbers = {worker.id: worker.number for worker in self.workers} | {None: 0}
        for job in there:
            row = rows[job.id]
            stands = {name: row[name] for name in _COMPARED} | {"worker": numbers[row["worker"]]}
            stands["free_losses"] = min(row["free_losses"], FREE_LOSSES)
            if row["state"] == CANCELLED:  # a retry resets them
                stands |= {"alone": job.row.alone, "free_losses": job.row.free_losses}
            assert stands == {name: getattr(job.row, name) for name in stands}
            assert row["result"] == job.result
            assert row["waits_whole_ttl"] or job.row.late or job.waits_on, "the deadline begins when the back-off ends"
            job.waits_on = False
        if any(job.row.leased or not job.row.due for job in self.jobs):
            self.real.hold_times()
