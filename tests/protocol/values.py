"""The house that is explored: everything in it is a frozen value, so that a whole history is a path from value to value.

It is abstract where the real thing only counts: times are flags ("the lease is over"), and numbers matter by their order.
"""

from typing import NamedTuple

from shared.states import JobState

# Plain strings: they are hashed millions of times.
QUEUED = JobState.QUEUED.value
RUNNING = JobState.RUNNING.value
CANCELLING = JobState.CANCELLING.value
SUCCEEDED = JobState.SUCCEEDED.value
FAILED = JobState.FAILED.value
CANCELLED = JobState.CANCELLED.value
EXPIRED = JobState.EXPIRED.value
GONE = "gone"  # deleted or purged: there is no row any more
FINISHED = frozenset({SUCCEEDED, FAILED, CANCELLED, EXPIRED, GONE})
HELD = frozenset({RUNNING, CANCELLING})

# What a job does to whoever runs it.
ANY = "ends in any way"
GOOD = "succeeds"
KILLS_WORKER = "kills its worker"
HANGS = "hangs"
KILLS_BEFORE_START = "kills its worker before its start"

# How far a task has come in its worker; after that, what its settlement says.
CLAIMED = "claimed"
RECORDED = "start recorded"
IN_CHILD = "in the child"
BEFORE_ITS_END = frozenset({CLAIMED, RECORDED, IN_CHILD})
SUCCESS = "succeeded"
FAILURE = "failed"
RETRYABLE = "retryable"
CROWDED_OUT = "crowded out"
HANDED_BACK = "handed back"
STOPPED = "stopped"
LOST = "lost"
LOST_UNSTARTED = "lost before its start"

UP = "up"
FROZEN = "frozen"
DOWN = "down"


class Job(NamedTuple):
    """A row of `jobs`. As submitted: leased to the submitter's relay (rule 3)."""

    state: str = QUEUED
    attempt: int = 0
    charged: int = 0
    publish_no: int = 1
    published: bool = False
    leased: bool = True  # publish_leased_until is in the future
    due: bool = True  # available_at is in the past
    worker: int = 0  # the incarnation; 0: none
    started: bool = False
    alone: bool = False
    free_losses: int = 0
    late: bool = False  # queue_deadline is in the past
    # What no row knows, only whoever looks on:
    results: int = 0  # written since the last retry
    by_itself: bool = True  # nothing else ran in its worker when it was started
    waited: bool = False  # a whole queue_ttl since it entered `queued`
    harm: int = 0  # that could justify a charge


class Message(NamedTuple):
    job: int
    publish_no: int


class Publication(NamedTuple):
    """What a relay is about, between its lease and its stamp."""

    message: Message
    sent: bool


class Task(NamedTuple):
    """An attempt, as its worker knows it."""

    job: int
    attempt: int
    phase: str
    message: Message
    alone: bool
    repeated: bool = False  # its settlement was sent before, and the answer lost


class Process(NamedTuple):
    """A worker process, in its latest life."""

    life: str = UP
    incarnation: int = 0
    stopping: bool = False  # has got a SIGTERM
    inbox: frozenset[Message] = frozenset()
    tasks: frozenset[Task] = frozenset()


class Lease(NamedTuple):
    """A row of `workers` that says `alive`; dead and stopped ones are not there."""

    incarnation: int
    over: bool


class House(NamedTuple):
    jobs: tuple[Job, ...]
    processes: tuple[Process, ...]
    publications: tuple[Publication, ...]
    messages: frozenset[Message] = frozenset()  # in the broker: delivered as often as it likes, until acked
    leases: frozenset[Lease] = frozenset()
    database: bool = True
    contact: bool = True  # the reconciler's, for a whole lease (rule 7)
    faults: int = 0  # how many more may happen
    users: int = 0  # cancels and retries
    ttls: int = 0  # passings of a queue_ttl

    def with_job(self, number: int, job: Job) -> "House":
        return self._replace(jobs=(*self.jobs[:number], job, *self.jobs[number + 1 :]))

    def with_process(self, number: int, process: Process) -> "House":
        return self._replace(processes=(*self.processes[:number], process, *self.processes[number + 1 :]))

    def up(self) -> list[Process]:
        return [process for process in self.processes if process.life == UP]

    def alive(self) -> set[int]:
        """Incarnations that nobody has declared dead."""
        return {lease.incarnation for lease in self.leases}

    def new_incarnation(self) -> int:
        taken = self.alive() | {one.incarnation for one in self.processes} | {job.worker for job in self.jobs}
        return next(number for number in range(1, 100) if number not in taken)


class Move(NamedTuple):
    """Something that can happen. Fair: if it can happen for ever, it does happen."""

    label: str
    fair: bool
    after: House


def fair(label: str, after: House) -> Move:
    """What the house owes: its own work, and time."""
    return Move(label, fair=True, after=after)


def chance(label: str, after: House) -> Move:
    """What nobody can count on: users, luck."""
    return Move(label, fair=False, after=after)


def fault(label: str, after: House) -> Move:
    """One of those that a history has left."""
    return Move(f"FAULT {label}", fair=False, after=after._replace(faults=after.faults - 1))


class Violation(Exception):
    """A rule of safety does not hold; the text says which."""
