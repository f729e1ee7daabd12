"""The statements, as functions from a row to a row (reliability: rules 1, 2 and 8 to 10), each with what may be broken in it.

`damage` names what is left out or done wrongly: the rules as they stand are the empty set.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tests.protocol.values import (
    CANCELLED,
    CANCELLING,
    CROWDED_OUT,
    FAILED,
    FAILURE,
    HANDED_BACK,
    HELD,
    LOST,
    LOST_UNSTARTED,
    QUEUED,
    RETRYABLE,
    RUNNING,
    STOPPED,
    SUCCEEDED,
    SUCCESS,
    Job,
    Lease,
    Violation,
)


@dataclass(frozen=True)
class Rules:
    """free_losses: before the start, in a row (rule 9); fewer than in the real thing make a smaller house."""

    max_attempts: int
    free_losses: int = 1
    damage: AbstractSet[str] = frozenset()

    def broken(self, name: str) -> bool:
        return name in self.damage

    # --- entering and leaving `queued`

    def enter_queued(self, job: Job, *, due: bool = True) -> Job:
        """Rule 2."""
        return job._replace(
            state=QUEUED,
            published=job.published and self.broken("entry_keeps_published"),
            leased=False,
            publish_no=job.publish_no + (not self.broken("entry_keeps_number")),
            worker=0,
            due=due,
            started=job.started and self.broken("start_is_kept"),
            late=job.late and self.broken("entry_keeps_deadline"),
            waited=False,
        )

    def forget_publication(self, job: Job, publish_no: int | None = None) -> Job:
        """Rule 2: whoever clears `published_at`. publish_no: of the dead letter that asks for it."""
        if job.state != QUEUED:
            return job
        if self.broken("clearing_keeps_number"):
            return job._replace(published=False)
        if publish_no not in {None, job.publish_no}:
            return job
        return job._replace(published=False, leased=False, publish_no=job.publish_no + 1)

    def stamp(self, job: Job, publish_no: int) -> Job:
        """Rule 2: the same entry, still queued."""
        same = job.publish_no == publish_no or self.broken("stamp_ignores_number")
        waits = job.state == QUEUED or self.broken("stamp_ignores_state")
        return job._replace(published=True, leased=False) if same and waits else job

    def release(self, job: Job, publish_no: int) -> Job:
        """Rule 3: could not publish; somebody else may try at once."""
        waits = job.state == QUEUED and job.publish_no == publish_no and not job.published
        return job._replace(leased=False) if waits else job

    def put_back(self, job: Job, publish_no: int) -> Job:
        """Rule 5: a job that this worker does not serve, or not soon. It waits on: the deadline is that of its entry."""
        if self.broken("put_back_does_nothing"):
            return job
        same = job.publish_no == publish_no or self.broken("put_back_ignores_number")
        if not same or (job.state != QUEUED and not self.broken("put_back_ignores_state")):
            return job
        late = job.late and not self.broken("put_back_renews_deadline")
        put = self.enter_queued(job, due=False)._replace(late=late, waited=job.waited)
        return put._replace(publish_no=job.publish_no) if self.broken("put_back_keeps_number") else put

    def retry(self, job: Job) -> Job:
        """Rule 1: a new budget; the attempts go on counting."""
        attempt = 0 if self.broken("retry_resets_attempt") else job.attempt
        fresh = job._replace(attempt=attempt, charged=0, free_losses=0, alone=False, results=0, harm=0)
        return self.enter_queued(fresh)

    # --- an attempt

    def fit(self, leases: AbstractSet[Lease], incarnation: int) -> bool:
        """Rule 6: who may claim and start."""
        late = self.broken("claim_past_lease") and Lease(incarnation, over=True) in leases
        return Lease(incarnation, over=False) in leases or late

    def claim(self, job: Job, incarnation: int) -> Job | None:
        """Rules 1, 5 and 9, but for the worker's lease. None: zero rows."""
        free = job.state == QUEUED or (self.broken("claim_ignores_state") and job.state == RUNNING)
        if not free or not (job.due or self.broken("claim_ignores_due")):
            return None
        if job.state != QUEUED or not job.due:
            raise Violation("a row was claimed that is held, or not due")
        return job._replace(
            state=RUNNING,
            worker=incarnation,
            attempt=job.attempt + (not self.broken("claim_keeps_attempt")),
            started=job.started and self.broken("start_is_kept"),
            by_itself=True,
        )

    def settle(self, job: Job, attempt: int, ending: str) -> Job | None:
        """Rule 1: fenced. None: zero rows."""
        held = job.state in HELD or self.broken("settle_ignores_state")
        mine = job.attempt == attempt or self.broken("settle_ignores_attempt")
        if not (held and mine):
            return None
        if job.state not in HELD or job.attempt != attempt:
            raise Violation(f"a row was overwritten by a settlement ({ending}) that it does not belong to")
        return self.end(job, ending)

    def end(self, job: Job, ending: str) -> Job:
        """What a held row becomes."""
        if ending == SUCCESS:
            return job._replace(state=SUCCEEDED, worker=0, results=job.results + 1)
        if job.state == CANCELLING and not self.broken("cancelling_is_requeued"):
            return job._replace(state=CANCELLED, worker=0)
        if ending == FAILURE:
            return job._replace(state=FAILED, worker=0)
        if ending == STOPPED:
            return job._replace(state=CANCELLED, worker=0)
        return self._put_back_or_charge(job, ending)

    def _put_back_or_charge(self, job: Job, ending: str) -> Job:
        lone = job._replace(alone=True)
        if ending == RETRYABLE:
            return self._charge(job._replace(harm=job.harm + 1))
        if ending == LOST_UNSTARTED:
            return self._lose_early(job)
        if ending == LOST:
            pays = job.alone or self.broken("batch_is_charged")
            return self._charge(lone) if pays else self.enter_queued(lone)
        if ending == CROWDED_OUT:
            return self._charge(lone) if self.broken("crowding_out_is_charged") else self.enter_queued(lone)
        return self._charge(job) if self.broken("hand_back_is_charged") else self.enter_queued(job)

    def _lose_early(self, job: Job) -> Job:
        if job.free_losses >= self.free_losses and not self.broken("early_losses_are_free"):
            return self._charge(job._replace(harm=job.harm + 1))
        free = min(job.free_losses + 1, self.free_losses)
        return self.enter_queued(job._replace(free_losses=free), due=False)

    def lose(self, job: Job) -> Job:
        """Rule 6: the worker of a held row is not alive."""
        if job.state == CANCELLING:
            if self.broken("cancelling_orphan_stays"):
                return job
            return self.end(job, HANDED_BACK if self.broken("cancelling_is_requeued") else STOPPED)
        return self.end(job, LOST if job.started else LOST_UNSTARTED)

    def _charge(self, job: Job) -> Job:
        job = job._replace(charged=job.charged + 1)
        if job.charged >= self.max_attempts and not self.broken("no_budget"):
            return job._replace(state=FAILED, worker=0)
        return self.enter_queued(job, due=False)
