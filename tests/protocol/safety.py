"""What must hold after every step, whatever happens."""

from tests.protocol.values import (
    CANCELLED,
    CANCELLING,
    FAILED,
    FINISHED,
    GONE,
    GOOD,
    HELD,
    QUEUED,
    SUCCEEDED,
    House,
    Job,
    Move,
    Violation,
)


def check(before: House, move: Move, kinds: tuple[str, ...], max_attempts: int) -> None:
    """Raises Violation."""
    for number, (old, new) in enumerate(zip(before.jobs, move.after.jobs, strict=True)):
        if old is not new:
            _results(number, new)
            _moves(number, old, new, retried=move.label.startswith("retry"))
            _budget(number, new, kinds[number], max_attempts)
            _wait(number, new)
    _live_work(move.after)


def _results(number: int, job: Job) -> None:
    has_one = job.results == 1 if job.state == GONE else job.state == SUCCEEDED
    if job.results > 1 or has_one != (job.results == 1):
        raise Violation(f"job {number} is {job.state} with {job.results} results")


def _moves(number: int, old: Job, new: Job, *, retried: bool) -> None:
    if old.state == GONE and new.state != GONE:
        raise Violation(f"job {number} was gone, and is {new.state}")
    if old.state in FINISHED and new.state not in {old.state, GONE} and not retried:
        raise Violation(f"job {number} has left {old.state}")
    if old.state == CANCELLING and new.state not in {CANCELLING, CANCELLED, SUCCEEDED}:
        raise Violation(f"job {number} was cancelling and is {new.state}")
    if new.attempt < old.attempt:
        raise Violation(f"the attempt of job {number} was lowered")


def _budget(number: int, job: Job, kind: str, max_attempts: int) -> None:
    if job.charged > max_attempts or (job.charged == max_attempts and job.state not in FINISHED):
        raise Violation(f"job {number} was charged {job.charged} times of {max_attempts}, and is {job.state}")
    if job.charged > job.harm:
        raise Violation(f"job {number} was charged {job.charged} times, for harm of {job.harm}")
    if kind == GOOD and job.state == FAILED and job.harm < max_attempts:
        raise Violation(f"job {number} does no harm, and has failed")


def _wait(number: int, job: Job) -> None:
    if job.state == QUEUED and job.waited and not job.late:
        raise Violation(f"job {number} has waited a whole queue_ttl, and may wait on")


def _live_work(house: House) -> None:
    """What a live incarnation works on is what the rows say: else two of them do the same work."""
    alive = house.alive()
    for process in house.processes:
        for task in process.tasks if process.incarnation in alive else ():
            job = house.jobs[task.job]
            mine = job.attempt == task.attempt and job.state in HELD and job.worker == process.incarnation
            if not mine and not task.repeated:
                raise Violation(
                    f"#{process.incarnation} lives and works on job {task.job}, attempt {task.attempt}, "
                    f"but the row says {job.state}, attempt {job.attempt}, #{job.worker}"
                )
