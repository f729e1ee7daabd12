"""What happens in and to a worker process: messages, claims, heartbeats, its end (rules 5, 6 and 13)."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.protocol.rules import Rules
from tests.protocol.values import (
    CLAIMED,
    DOWN,
    FROZEN,
    GOOD,
    HANDED_BACK,
    HELD,
    IN_CHILD,
    QUEUED,
    UP,
    House,
    Job,
    Lease,
    Message,
    Move,
    Process,
    Task,
    chance,
    fair,
    fault,
)


@dataclass(frozen=True)
class Worker:
    """One process of the house, and what it may do next. kinds: what each job does to whoever runs it."""

    rules: Rules
    kinds: tuple[str, ...]
    house: House
    number: int
    needed: bool  # nobody else could do the work: its supervisor sees to it
    stranger: bool  # serves another model than that of the jobs (rule 5)

    @property
    def process(self) -> Process:
        return self.house.processes[self.number]

    @property
    def name(self) -> str:
        return f"worker {self.number} (#{self.process.incarnation})"

    def becomes(self, process: Process, house: House | None = None) -> House:
        return (house or self.house).with_process(self.number, process)

    def fit(self) -> bool:
        return self.house.database and self.rules.fit(self.house.leases, self.process.incarnation)

    def harmed(self) -> House:
        """The house, after it was noted whom this process's sudden end harms: attempts in it that may be to blame for it."""
        started = {task.job for task in self.process.tasks if task.phase != CLAIMED and self._runs(task)}
        house = self.house
        for number in started:
            job = house.jobs[number]
            if self.kinds[number] != GOOD or job.by_itself:
                house = house.with_job(number, harm(job, self.rules))
        return house

    def _runs(self, task: Task) -> bool:
        job = self.house.jobs[task.job]
        return job.attempt == task.attempt and job.started

    # --- its life

    def life(self) -> Iterator[Move]:
        """Starts, freezes, thaws, is killed, leaves."""
        process = self.process
        if process.life == DOWN:
            if self.house.database and (self.needed or self.house.faults):
                yield Move(f"{self.name} starts again", self.needed, self._started())
            return
        if self.house.faults:
            killed = self.becomes(Process(DOWN, process.incarnation), self.harmed())
            yield fault(f"{self.name} is killed", killed)
        if process.life == FROZEN:
            if self.needed:
                yield fair(f"{self.name} is killed by its supervisor", self.becomes(Process(DOWN, process.incarnation)))
            yield chance(f"{self.name} thaws", self.becomes(process._replace(life=UP)))
        else:
            yield from self._faults()
            yield from self._leave()

    def _started(self) -> House:
        old = self.process.incarnation
        keeps = self.rules.broken("incarnation_kept_at_restart") and old in self.house.alive()
        incarnation = old if keeps else self.house.new_incarnation()
        return self.becomes(Process(incarnation=incarnation), self._registered(incarnation))

    def _registered(self, incarnation: int) -> House:
        leases = self.house.leases - {Lease(incarnation, over=True)} | {Lease(incarnation, over=False)}
        return self.house._replace(leases=leases)

    def _faults(self) -> Iterator[Move]:
        if not self.house.faults:
            return
        frozen = self.becomes(self.process._replace(life=FROZEN), self.harmed())
        yield fault(f"{self.name} freezes", frozen)
        if not self.process.stopping:
            told = self.process._replace(stopping=True, inbox=frozenset())
            yield fault(f"{self.name} gets a SIGTERM", self.becomes(told))
        elif self.process.tasks:
            yield fault(f"{self.name} is hurried out", self._left(self.harmed()))

    def _leave(self) -> Iterator[Move]:
        if self.process.stopping and not self.process.tasks:
            yield fair(f"{self.name} leaves", self._left(self.house))

    def _left(self, house: House) -> House:
        """Rule 13: marked as stopped, if the database answers; what it still held is requeued by the next tick."""
        incarnation = self.process.incarnation
        if house.database and not self.rules.broken("leaves_unmarked"):
            house = house._replace(leases=frozenset(one for one in house.leases if one.incarnation != incarnation))
        return self.becomes(Process(DOWN, incarnation), house)

    # --- rule 6: the heartbeat

    def heartbeat(self) -> Iterator[Move]:
        if not self.house.database:
            return
        process, alive = self.process, self.house.alive()
        if Lease(process.incarnation, over=True) in self.house.leases:
            yield fair(f"{self.name} renews its lease", self._registered(process.incarnation))
        if process.incarnation not in alive:
            yield fair(f"{self.name} finds itself dead", self._reborn())
        elif not self.rules.broken("unknown_jobs_are_kept"):
            yield from self._hand_back_unknown()

    def _reborn(self) -> House:
        incarnation = self.house.new_incarnation()
        process = Process(incarnation=incarnation, stopping=self.process.stopping)
        if self.rules.broken("the_thawed_keep_their_work"):
            process = process._replace(tasks=self.process.tasks)
        return self.becomes(process, self._registered(incarnation))

    def _hand_back_unknown(self) -> Iterator[Move]:
        known = {(task.job, task.attempt) for task in self.process.tasks}
        for number, job in enumerate(self.house.jobs):
            mine = job.state in HELD and job.worker == self.process.incarnation
            if mine and (number, job.attempt) not in known:
                back = self.house.with_job(number, self.rules.end(job, HANDED_BACK))
                yield fair(f"{self.name} hands back {number}, which it does not know", back)

    # --- rule 5: messages and claims

    def receive(self) -> Iterator[Move]:
        process = self.process
        if process.stopping or process.inbox:
            return
        for message in self.house.messages:
            if not any(task.job == message.job for task in process.tasks):
                house = self.house
                if self.rules.broken("acked_before_the_claim"):
                    house = house._replace(messages=house.messages - {message})
                received = process._replace(inbox=frozenset({message}))
                yield fair(f"{self.name} receives {message}", self.becomes(received, house))

    def claim(self) -> Iterator[Move]:
        for message in self.process.inbox:
            if self.house.database:
                yield self._put_back(message, "does not serve it") if self.stranger else self._claim(message)
                yield from self._pass_on(message)
        yield from self.late_claims()

    def _acked(self, message: Message, house: House | None = None) -> House:
        house = house or self.house
        emptied = self.process._replace(inbox=self.process.inbox - {message})
        return self.becomes(emptied, house._replace(messages=house.messages - {message}))

    def _put_back(self, message: Message, why: str) -> Move:
        put = self.rules.put_back(self.house.jobs[message.job], message.publish_no)
        house = self.house.with_job(message.job, put)
        return fair(f"{self.name} {why}, {message}: put back, acked", self._acked(message, house))

    def _pass_on(self, message: Message) -> Iterator[Move]:
        """What a long batch keeps from being claimed is put back, too: another worker may be idle."""
        if any(task.phase == IN_CHILD for task in self.process.tasks) and not self.stranger:
            put = self.rules.put_back(self.house.jobs[message.job], message.publish_no)
            house = self.house.with_job(message.job, put)
            yield chance(f"{self.name} is busy: {message} put back, acked", self._acked(message, house))

    def _claimed(self, message: Message) -> Job | None:
        if not self.fit() and not (self.house.database and self.rules.broken("the_dead_claim")):
            return None
        return self.rules.claim(self.house.jobs[message.job], self.process.incarnation)

    def _claim(self, message: Message) -> Move:
        job = self._claimed(message)
        if job is not None:
            task = Task(message.job, job.attempt, CLAIMED, message, job.alone)
            process = self.process._replace(inbox=frozenset(), tasks=self.process.tasks | {task})
            house = self.house.with_job(message.job, job)
            if self.rules.broken("acked_at_the_claim"):
                house = house._replace(messages=house.messages - {message})
            return fair(f"{self.name} claims {message} as attempt {job.attempt}", self.becomes(process, house))
        if not self.fit() and not self.rules.broken("the_dead_ack"):
            return fair(f"{self.name} keeps {message}: heartbeat first", self.house)
        row = self.house.jobs[message.job]
        if row.state == QUEUED and not row.due and not self.rules.broken("early_is_acked"):
            return self._put_back(message, "does not find it due")
        return fair(f"{self.name} cannot claim {message}: acked", self._acked(message))

    def late_claims(self) -> Iterator[Move]:
        """The statement arrives, its answer does not: lost, or the process has frozen in the meantime."""
        for message in self.process.inbox if self.house.faults and not self.stranger else ():
            job = self._claimed(message)
            if job is not None:
                claimed = self.house.with_job(message.job, job)
                yield fault(f"{self.name} claims {message}, the answer is lost", claimed)


def harm(job: Job, rules: Rules) -> Job:
    return job._replace(harm=min(job.harm + 1, rules.max_attempts + 1))
