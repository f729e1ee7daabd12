"""What a worker does with the attempts it holds: start, run, settle (rules 8 to 10)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tests.protocol.values import (
    ANY,
    BEFORE_ITS_END,
    CANCELLING,
    CLAIMED,
    CROWDED_OUT,
    DOWN,
    FAILURE,
    GOOD,
    HANDED_BACK,
    HANGS,
    HELD,
    IN_CHILD,
    KILLS_BEFORE_START,
    KILLS_WORKER,
    RECORDED,
    RETRYABLE,
    RUNNING,
    STOPPED,
    SUCCESS,
    House,
    Job,
    Move,
    Process,
    Task,
    chance,
    fair,
    fault,
)
from tests.protocol.workers import Worker, harm


@dataclass(frozen=True)
class Attempts(Worker):
    """A process that is up."""

    def _in(self, *phases: str) -> list[Task]:
        return [task for task in self.process.tasks if task.phase in phases]

    def _moved(self, phases: dict[Task, str | None]) -> Process:
        """Tasks in other phases; None: dropped."""
        moved = {task._replace(phase=phase) for task, phase in phases.items() if phase}
        return self.process._replace(tasks=self.process.tasks - phases.keys() | moved)

    # --- start

    def start(self) -> Iterator[Move]:
        waiting = self._in(CLAIMED)
        if any(self.kinds[task.job] == KILLS_BEFORE_START for task in waiting):
            yield fair(f"{self.name} dies before the start", self.becomes(Process(DOWN, self.process.incarnation)))
            return
        together = [task for task in waiting if not task.alone]
        for batch in [[task] for task in waiting if task.alone] + ([together] if together else []):
            if self.fit() and not self._in(RECORDED, IN_CHILD) and not self._must_wait(batch):
                yield self._record(batch)

    def _must_wait(self, batch: list[Task]) -> bool:
        """Rule 10: beside an unsettled lone attempt nothing starts, nor a lone one beside anything."""
        unsettled = [task for task in self.process.tasks if task.phase != CLAIMED]
        lone = batch[0].alone or any(task.alone for task in unsettled)
        return bool(unsettled) and lone and not self.rules.broken("batch_is_charged")

    def _record(self, batch: list[Task]) -> Move:
        """Rule 9: one fenced statement, before the child gets the batch. What it does not find is not sent."""
        found = [task for task in batch if self._is_held(task)]
        by_itself = len(found) == 1 and len(self._in(CLAIMED)) == len(self.process.tasks)
        house, phases = self.house, dict[Task, str | None]()
        for task in batch:
            phases[task] = self._found_at_start(task, house.jobs[task.job])
            if task in found:
                house = house.with_job(task.job, self._start(house.jobs[task.job], by_itself=by_itself))
        acked = {task.message for task, phase in phases.items() if phase is None}
        house = house._replace(messages=house.messages - acked)
        numbers = sorted(task.job for task in batch)
        return fair(f"{self.name} records the start of {numbers}", self.becomes(self._moved(phases), house))

    def _is_held(self, task: Task) -> bool:
        job = self.house.jobs[task.job]
        return job.state in HELD and job.attempt == task.attempt

    def _found_at_start(self, task: Task, job: Job) -> str | None:
        if not self._is_held(task):
            return RECORDED if self.rules.broken("start_of_nothing_is_sent") else None
        return STOPPED if job.state == CANCELLING else RECORDED

    def _start(self, job: Job, *, by_itself: bool) -> Job:
        return job._replace(started=job.state == RUNNING, by_itself=by_itself, free_losses=0)

    # --- the child

    def run(self) -> Iterator[Move]:
        recorded, batch = self._in(RECORDED), self._in(IN_CHILD)
        if recorded and not batch:
            numbers = sorted(task.job for task in recorded)
            sent = self._moved(dict.fromkeys(recorded, IN_CHILD))
            yield fair(f"{self.name} sends {numbers} to its child", self.becomes(sent))
        if batch:
            yield from self._child(batch)

    def _child(self, batch: list[Task]) -> Iterator[Move]:
        kinds = {self.kinds[task.job] for task in batch}
        if KILLS_WORKER in kinds:
            yield fair(f"{self.name} dies of its batch", self._killed_by(batch))
            return
        for ending in _endings(kinds, len(batch), each_fails=self.rules.broken("timed_out_batch_fails")):
            ended = self._moved(dict.fromkeys(batch, ending))
            yield fair(f"{self.name}: its batch {ending}", self.becomes(ended))

    def _killed_by(self, batch: list[Task]) -> House:
        house = self.house
        for number, job in enumerate(house.jobs):
            if self.kinds[number] != GOOD and any(task.job == number for task in batch):
                house = house.with_job(number, harm(job, self.rules))
        return self.becomes(Process(DOWN, self.process.incarnation), house)

    # --- stopping work that is not done

    def stop(self) -> Iterator[Move]:
        for task in self._in(*BEFORE_ITS_END):
            job = self.house.jobs[task.job]
            if job.state == CANCELLING and job.attempt == task.attempt:
                yield fair(f"{self.name} stops {task.job}", self.becomes(self._stopped(task)))
        mine = self._in(*BEFORE_ITS_END)
        if self.process.stopping and mine:
            back = self._moved(dict.fromkeys(mine, HANDED_BACK))
            yield fair(f"{self.name} hands back all that it has", self.becomes(back))
        elif self._in(IN_CHILD) and self._in(CLAIMED):
            back = self._moved(dict.fromkeys(self._in(CLAIMED), HANDED_BACK))
            yield chance(f"{self.name} is busy: hands back what waits", self.becomes(back))

    def _stopped(self, task: Task) -> Process:
        """Rule 10: a child that is killed on behalf of one task takes the rest of its batch along."""
        phases: dict[Task, str | None] = {task: STOPPED}
        if task.phase == IN_CHILD:
            phases |= {other: CROWDED_OUT for other in self._in(IN_CHILD) if other != task}
        return self._moved(phases)

    # --- settle

    def settle(self) -> Iterator[Move]:
        if not self.house.database:
            return
        for task in self.process.tasks:
            if task.phase not in BEFORE_ITS_END:
                yield from self._settle(task)

    def _settle(self, task: Task) -> Iterator[Move]:
        settled = self.rules.settle(self.house.jobs[task.job], task.attempt, task.phase)
        house = self.house if settled is None else self.house.with_job(task.job, settled)
        done = self.process._replace(tasks=self.process.tasks - {task})
        what = f"{self.name} settles {task.job}, attempt {task.attempt}: {task.phase}, {settled.state if settled else '0 rows'}"
        acked = house._replace(messages=house.messages - {task.message})
        yield fair(what, self.becomes(done, acked))
        if house.faults and not task.repeated:
            yield fault(f"{what}, the ack is lost", self.becomes(done, house))
            again = done._replace(tasks=done.tasks | {task._replace(repeated=True)})
            yield fault(f"{what}, the answer is lost", self.becomes(again, house))


def _endings(kinds: Collection[str], size: int, *, each_fails: bool) -> tuple[str, ...]:
    if HANGS in kinds:
        return (CROWDED_OUT,) if size > 1 and not each_fails else (FAILURE,)
    return (SUCCESS, FAILURE, RETRYABLE) if ANY in kinds else (SUCCESS,)
