"""The reconciler, retention, users and time, on the table; and the fair steps that end every job."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

from shared.database.entries import Ending
from shared.database.moves import Deleted, cancel_job, delete_job, retry_job
from shared.database.pool import Transaction
from shared.database.reconciliation import declare_dead, expire, requeue_orphans
from shared.database.retention import Purged, purge_results, purge_rows
from tests.contract.database.stage import OWNER
from tests.protocol import values as v
from tests.protocol.table import MODELS, Incarnation, Known
from tests.protocol.working import Working

SOMEBODY_ELSE = "somebody else"


def purged(step: Callable[[Transaction], Awaitable[Purged]]) -> Callable[[Transaction], Awaitable[Iterable[UUID]]]:
    async def ids(tx: Transaction) -> Iterable[UUID]:
        return (await step(tx)).ids

    return ids


class Keeping(Working):
    def tick(self, *, contact: bool) -> None:
        """Rules 6 and 7. contact: in touch with the database for long enough to declare anybody dead."""
        if contact:
            over = [worker for worker in self.workers if worker.row == "over"]
            assert sorted(self.real.tick(declare_dead)) == sorted(worker.id for worker in over)
            for worker in over:
                worker.row = "dead"
        alive = {lease.incarnation for lease in self.leases()}
        orphans = [job for job in self.where(*v.HELD) if job.row.worker not in alive]
        assert sorted(self.real.tick(requeue_orphans)) == sorted(job.id for job in orphans)
        for job in orphans:
            job.becomes(self.rules.lose(job.row))

    def deadline_passes(self, job: Known) -> None:
        self.real.execute(f"UPDATE jobs SET queue_deadline = now() - interval '1 s' WHERE id = '{job.id}'")
        job.becomes(job.row._replace(late=True, waited=True))

    def clock_is_set_back(self) -> None:
        """By a day: what was due is so no more, published or not. What is late stays so, which is of no use to anybody."""
        self.real.execute(
            "UPDATE jobs SET available_at = available_at + interval '1 day', "
            "queue_deadline = queue_deadline + interval '1 day' "
            "WHERE state = 'queued' AND available_at < now() AND queue_deadline > now()"
        )
        for job in self.waiting():
            if job.row.due and not job.row.late:
                job.becomes(job.row._replace(due=False))

    def expire(self) -> None:
        late = [job for job in self.waiting() if job.row.late]
        assert sorted(self.real.tick(expire)) == sorted(job.id for job in late)
        for job in late:
            job.becomes(job.row._replace(state=v.EXPIRED))

    def cancel(self, job: Known) -> None:
        assert self.real(cancel_job(self.real.db, SOMEBODY_ELSE, job.id)) is None
        answer = self.real(cancel_job(self.real.db, OWNER, job.id))
        if job.gone:
            assert answer is None
            return
        after = {v.QUEUED: v.CANCELLED, v.RUNNING: v.CANCELLING}.get(job.row.state, job.row.state)
        job.becomes(job.row._replace(state=after))
        assert answer is not None
        assert answer.state == after

    def retry(self, job: Known) -> None:
        assert self.real(retry_job(self.real.db, SOMEBODY_ELSE, job.id)) is None
        answer = self.real(retry_job(self.real.db, OWNER, job.id))
        if job.gone:
            assert answer is None
            return
        again = job.row.state in {v.FAILED, v.CANCELLED, v.EXPIRED}
        if again:
            job.over = False
            job.becomes(self.rules.retry(job.row), retried=True)
        assert answer is not None
        assert (answer[0].state, answer[1]) == (job.row.state, again)

    def delete(self, job: Known) -> None:
        """Gone for good: whatever an attempt, a message or a user still says of it finds zero rows."""
        assert self.real(delete_job(self.real.db, SOMEBODY_ELSE, job.id)) is None
        answer = self.real(delete_job(self.real.db, OWNER, job.id))
        if job.gone:
            assert answer is None
        elif job.row.state in v.FINISHED:
            assert answer == Deleted(job.id, None)
            job.gone = True
        else:
            assert answer is not None
            assert not isinstance(answer, Deleted)

    def retention_is_over(self, job: Known) -> None:
        """Of a job in any state: only one that has finished has a time to be purged at."""
        self.real.execute(
            f"UPDATE jobs SET purge_at = now() - interval '1 s' WHERE id = '{job.id}' AND purge_at IS NOT NULL"
        )
        job.over = job.row.state in v.FINISHED

    def purge(self) -> None:
        """First the result, then, at another time, the row."""
        due = [job for job in self.where(*v.FINISHED) if job.over and not job.gone]
        results = [job for job in due if job.result is not None]
        assert sorted(self.real.tick(purged(purge_results))) == sorted(job.id for job in results)
        for job in results:
            job.result, job.over = None, False
        rows = [job for job in due if job.over]
        assert sorted(self.real.tick(purged(purge_rows))) == sorted(job.id for job in rows)
        for job in rows:
            job.gone = True

    # --- liveness

    def end_everything(self) -> None:
        """Whatever has happened: with nothing but fair steps every job ends."""
        for turn in range(20):
            if all(job.row.state in v.FINISHED for job in self.jobs):
                return
            self._fair_round(MODELS if turn % 2 else MODELS[::-1])
            self.compare()
        raise AssertionError(f"never ends: {[job for job in self.jobs if job.row.state not in v.FINISHED]}")

    def _fair_round(self, models: Sequence[str]) -> None:
        """The dead are found, what waits is published, delivered and run. models: whose worker gets its messages first."""
        for worker in self.workers:
            if not worker.up and worker.row == "alive":
                self.lease_runs_out(worker)
        for worker in [one for one in self.workers if one.up]:
            self._work(worker)
        self.tick(contact=True)
        self.publish_all()
        for model in models:
            worker = next((one for one in self.serving() if one.model == model), None) or self.worker_starts(model)
            self.take(worker, self.bag, starts=False)
            self._work(worker)
        in_the_bag = {message.job for message in self.bag}
        if any(job.row.published and self.number(job.id) not in in_the_bag for job in self.waiting()):
            self.republish(self.serving()[0])

    def _work(self, worker: Incarnation) -> None:
        """Runs what it holds, stops what was cancelled."""
        mine = self.heartbeat(worker)
        if mine:
            self.start(worker, mine)
        stopped = {one for one in mine if self.jobs[one[0]].row.state == v.CANCELLING}
        self.settle([(one, Ending.STOPPED if one in stopped else Ending.SUCCEEDED) for one in mine])
        self.forget(mine)
