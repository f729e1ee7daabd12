"""Houses that differ in nothing that matters are made equal: so there are finitely many, however long a history is."""

from tests.protocol.values import QUEUED, House, Job, Lease, Message, Process


def canonical(house: House) -> House:
    """Numbers by their rank: attempts of a job from 0, incarnations from 1 as they appear, `publish_no` 1 the row's, 0 older."""
    incarnations = _incarnations(house)
    attempts = [_ranks(house, number, job) for number, job in enumerate(house.jobs)]

    def message(one: Message) -> Message:
        return Message(one.job, int(one.publish_no == house.jobs[one.job].publish_no))

    def process(one: Process) -> Process:
        tasks = frozenset(
            task._replace(attempt=attempts[task.job][task.attempt], message=message(task.message)) for task in one.tasks
        )
        inbox = frozenset(map(message, one.inbox))
        return one._replace(incarnation=incarnations[one.incarnation], inbox=inbox, tasks=tasks)

    return house._replace(
        jobs=tuple(_job(job, attempts[number], incarnations) for number, job in enumerate(house.jobs)),
        processes=tuple(map(process, house.processes)),
        publications=tuple(sorted(one._replace(message=message(one.message)) for one in house.publications)),
        messages=frozenset(map(message, house.messages)),
        leases=frozenset(Lease(incarnations[lease.incarnation], lease.over) for lease in house.leases),
    )


def _incarnations(house: House) -> dict[int, int]:
    found = [one.incarnation for one in house.processes] + [job.worker for job in house.jobs] + sorted(house.alive())
    ranks = {0: 0}
    for incarnation in found:
        ranks.setdefault(incarnation, len(ranks))
    return ranks


def _ranks(house: House, number: int, job: Job) -> dict[int, int]:
    known = {task.attempt for process in house.processes for task in process.tasks if task.job == number}
    return {attempt: rank for rank, attempt in enumerate(sorted({0, job.attempt} | known))}


def _job(job: Job, ranks: dict[int, int], incarnations: dict[int, int]) -> Job:
    leased = job.leased and job.state == QUEUED  # nobody asks for it in another state
    return job._replace(attempt=ranks[job.attempt], publish_no=1, worker=incarnations[job.worker], leased=leased)
