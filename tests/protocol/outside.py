"""What happens outside the workers: users, the clock, relays, the broker, the database and the reconciler."""

from collections.abc import Callable, Iterator
from functools import partial
from operator import eq

from tests.protocol.rules import Rules
from tests.protocol.values import (
    CANCELLED,
    CANCELLING,
    EXPIRED,
    FAILED,
    FINISHED,
    FROZEN,
    GONE,
    HELD,
    QUEUED,
    RUNNING,
    UP,
    House,
    Lease,
    Message,
    Move,
    Publication,
    Violation,
    chance,
    fair,
    fault,
)


def users(rules: Rules, house: House) -> Iterator[Move]:
    """Cancels, retries and deletions, as many as are left."""
    if not house.database or not house.users:
        return
    left = house._replace(users=house.users - 1)
    for number, job in enumerate(house.jobs):
        if job.state == QUEUED or (job.state == RUNNING and rules.broken("cancel_at_once")):
            yield chance(f"cancel {number}", left.with_job(number, job._replace(state=CANCELLED, worker=0)))
        elif job.state == RUNNING:
            yield chance(f"cancel {number}: cancelling", left.with_job(number, job._replace(state=CANCELLING)))
        if job.state in FINISHED - {GONE} or (job.state in HELD and rules.broken("delete_ignores_state")):
            yield chance(f"delete {number}, or its retention is over", left.with_job(number, job._replace(state=GONE)))
        if job.state in {FAILED, CANCELLED, EXPIRED}:
            yield chance(f"retry {number}", left.with_job(number, rules.retry(job)))


def clock(rules: Rules, house: House) -> Iterator[Move]:
    """Times that pass; and the reconciler, which expires what has waited too long."""
    for number, job in enumerate(house.jobs):
        if house.ttls and not job.late:
            late = job._replace(late=True, waited=job.state == QUEUED)
            yield chance(
                f"the queue_ttl of {number} is over", house.with_job(number, late)._replace(ttls=house.ttls - 1)
            )
        if house.database and house.contact and job.state == QUEUED and job.late:
            if not job.waited:
                raise Violation(f"job {number} expires, and has not waited a queue_ttl since it was last queued")
            yield fair(f"{number} expires", house.with_job(number, job._replace(state=EXPIRED)))
        if job.state == QUEUED and not job.due:
            yield fair(f"{number} becomes due", house.with_job(number, job._replace(due=True)))
        if job.leased and not rules.broken("publish_lease_for_ever"):
            yield fair(f"the publish lease of {number} is over", house.with_job(number, job._replace(leased=False)))


def relays(rules: Rules, house: House, most: int) -> Iterator[Move]:
    """Rules 2 and 3: lease, publish, stamp. The submitter's own relay begins with its lease: the row was stored with it."""
    if house.database and len(house.publications) < most:
        for number, job in enumerate(house.jobs):
            if job.state == QUEUED and not job.published and job.due and not job.leased:
                new = Publication(Message(number, job.publish_no), sent=False)
                leased = house.with_job(number, job._replace(leased=True))
                yield fair(f"a relay leases {new.message}", leased._replace(publications=(*house.publications, new)))
    for position, publication in enumerate(house.publications):
        yield from _relay(rules, house, position, publication)


def _relay(rules: Rules, house: House, position: int, publication: Publication) -> Iterator[Move]:
    message = publication.message
    others = (*house.publications[:position], *house.publications[position + 1 :])
    done = house._replace(publications=others)
    job = house.jobs[message.job]
    if not publication.sent:
        sent = house._replace(publications=(*others, Publication(message, sent=True)))
        yield fair(f"a relay publishes {message}", sent._replace(messages=house.messages | {message}))
    elif house.database:
        stamped = done.with_job(message.job, rules.stamp(job, message.publish_no))
        yield fair(f"a relay stamps {message}", stamped)
    if house.faults:
        yield fault("a relay dies", done)
        if not publication.sent and house.database:
            released = done.with_job(message.job, rules.release(job, message.publish_no))
            yield fault(f"the broker refuses {message}: released", released)


def broker(rules: Rules, house: House, *, lossy: bool) -> Iterator[Move]:
    """Messages go astray (rule 5, rule 11)."""
    if not house.database:
        return
    if house.faults:
        if house.messages or house.publications:
            anew = tuple(rules.forget_publication(job) for job in house.jobs)
            wiped = house._replace(messages=frozenset(), jobs=anew)
            yield fault("the subscription is lost and made anew", wiped)
        for message in house.messages:
            gone = house._replace(messages=house.messages - {message})
            if lossy:
                yield fault(f"{message} is lost", gone)
            job = rules.forget_publication(house.jobs[message.job], message.publish_no)
            yield fault(f"{message} is dead-lettered", gone.with_job(message.job, job))
    if lossy and not house.messages and not rules.broken("nothing_is_republished"):
        yield from _republish(rules, house)


def _republish(rules: Rules, house: House) -> Iterator[Move]:
    """Rule 11, for an idle worker beside published rows."""
    if any(not process.inbox and not process.tasks for process in house.up()):
        for number, job in enumerate(house.jobs):
            if job.state == QUEUED and job.published:
                yield fair(f"{number} is republished", house.with_job(number, rules.forget_publication(job)))


def database(rules: Rules, house: House) -> Iterator[Move]:
    """It goes away and comes back, or its clock jumps; leases run out (rules 6 and 7)."""
    if not house.database:
        contact = rules.broken("death_without_contact")
        yield fair("the database is back", house._replace(database=True, contact=contact))
    elif house.faults:
        over = frozenset(Lease(incarnation, over=True) for incarnation in house.alive())
        away = house._replace(database=False, contact=False, leases=over)
        yield fault("the database is away", away)
        early = tuple(job._replace(due=job.due and job.state != QUEUED) for job in house.jobs)
        yield fault("the database's clock is set back", house._replace(jobs=early))
        unnoticed = house.contact and rules.broken("jump_is_no_loss_of_contact")
        yield fault("the database's clock goes on by an hour", house._replace(contact=unnoticed, leases=over))
    lives = {UP, FROZEN} if rules.broken("the_frozen_keep_their_lease") else {UP}
    beating = {process.incarnation for process in house.processes if process.life in lives}
    for lease in house.leases:
        if not lease.over and lease.incarnation not in beating:
            leases = house.leases - {lease} | {lease._replace(over=True)}
            yield fair(f"the lease of #{lease.incarnation} is over", house._replace(leases=leases))


def reconciler(rules: Rules, house: House) -> Iterator[Move]:
    """Rules 6 and 7: declares dead, and requeues what no live incarnation holds."""
    if not house.database:
        return
    over = {lease.incarnation for lease in house.leases if lease.over}
    if not house.contact and not any(process.incarnation in over for process in house.up()):
        yield fair("the reconciler has had a lease of contact", house._replace(contact=True))
    for incarnation in over if house.contact else ():
        left = house._replace(leases=house.leases - {Lease(incarnation, over=True)})
        if rules.broken("requeued_only_once"):
            left = _requeue(rules, left, partial(eq, incarnation))
        yield fair(f"#{incarnation} is declared dead", left)
    if not rules.broken("requeued_only_once"):
        alive = house.alive()
        requeued = _requeue(rules, house, lambda worker: worker not in alive)
        if requeued is not house:
            yield fair("a tick requeues what the dead held", requeued)


def _requeue(rules: Rules, house: House, gone: Callable[[int], bool]) -> House:
    """What a worker holds that is gone; the same house, if that is nothing."""
    for number, job in enumerate(house.jobs):
        if job.state in HELD and gone(job.worker):
            house = house.with_job(number, rules.lose(job))
    return house
