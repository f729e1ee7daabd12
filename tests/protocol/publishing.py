"""Submission, relays and the broker, on the table."""

from collections.abc import Sequence

from shared.database.leases import QueueReport, heartbeat
from shared.database.outbox import (
    forget_dead_letters,
    forget_queue,
    lease_unpublished,
    release_unpublished,
    stamp_published,
)
from shared.database.reconciliation import republish
from shared.database.submission import insert_jobs
from tests.contract.database.stage import new_job
from tests.protocol.table import MAX_ATTEMPTS, QUEUE, Incarnation, Known, Table
from tests.protocol.values import Job, Message, Publication

DAY = 86400.0


class Publishing(Table):
    def submit(self, models: Sequence[str]) -> None:
        new = [new_job(model=model, queue=QUEUE, max_attempts=MAX_ATTEMPTS, queue_ttl=DAY) for model in models]
        self.real(insert_jobs(self.real.db, new))
        for job in new:
            self.publications.append(Publication(Message(len(self.jobs), 1), sent=False))
            self.jobs.append(Known(job.id, job.model, Job()))

    # --- relays (rules 2 and 3)

    def publish_leases_run_out(self) -> None:
        past = "UPDATE jobs SET publish_leased_until = now() - interval '1 s' WHERE publish_leased_until > now()"
        self.real.execute(past)
        for job in self.jobs:
            if not job.gone:
                job.becomes(job.row._replace(leased=False))

    def sweep(self) -> None:
        leased = self.real(lease_unpublished(self.real.db, 1000))
        free = [job for job in self.waiting() if job.row.due and not job.row.published and not job.row.leased]
        assert {(entry.id, entry.publish_no) for entry in leased} == {(job.id, job.row.publish_no) for job in free}
        for job in free:
            job.becomes(job.row._replace(leased=True))
            self.publications.append(Publication(Message(self.number(job.id), job.row.publish_no), sent=False))

    def publish(self, publication: Publication) -> None:
        """Its stamp is still to come."""
        self.publications.remove(publication)
        self.publications.append(publication._replace(sent=True))
        self.bag.append(publication.message)
        self.old.append(publication.message)

    def stamp(self, publications: Sequence[Publication]) -> None:
        """Early, late, or so late that the row has long been queued anew."""
        for publication in publications:
            self.publications.remove(publication)
        messages = list(dict.fromkeys(publication.message for publication in publications))
        stamped = self.real(stamp_published(self.real.db, self.ids(messages)))
        assert stamped == sum([self._stamp(message) for message in messages])

    def _stamp(self, message: Message) -> bool:
        job = self.jobs[message.job]
        after = self.rules.stamp(job.row, message.publish_no)
        changes = after is not job.row and not job.row.published
        if changes:
            job.becomes(after)
        return changes

    def refused(self, publication: Publication) -> None:
        """The broker did not take it."""
        self.publications.remove(publication)
        self.real(release_unpublished(self.real.db, self.ids([publication.message])))
        job = self.jobs[publication.message.job]
        job.becomes(self.rules.release(job.row, publication.message.publish_no))

    def publish_all(self) -> None:
        """Whatever waits gets into the bag."""
        self.back_offs_end()
        self.publish_leases_run_out()
        self.publications = [one for one in self.publications if one.sent]
        self.sweep()
        for publication in [one for one in self.publications if not one.sent]:
            self.publish(publication)
        self.stamp(list(self.publications))

    def back_offs_end(self) -> None:
        self.real.execute("UPDATE jobs SET available_at = now() - interval '1 s' WHERE available_at > now()")
        for job in self.jobs:
            if not job.gone:
                job.becomes(job.row._replace(due=True))

    # --- the broker (rules 5 and 11)

    def lose(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.bag.remove(message)

    def dead_letter(self, messages: Sequence[Message]) -> None:
        self.bag = [message for message in self.bag if message not in messages]
        self.real(forget_dead_letters(self.real.db, self.ids(messages)))
        for message in messages:
            job = self.jobs[message.job]
            job.becomes(self.rules.forget_publication(job.row, message.publish_no))

    def subscription_made_anew(self) -> None:
        self.bag.clear()
        assert self.real(forget_queue(self.real.db, QUEUE)) == len(self.waiting())
        for job in self.jobs:
            job.becomes(self.rules.forget_publication(job.row))

    def republish(self, idle: Incarnation) -> None:
        """A live worker has been idle for long, and what was published is old."""
        self._report(idle, [QueueReport(QUEUE, idle=True, newest_claimed=None)])
        old = "UPDATE jobs SET published_at = now() - interval '1 hour 1 s' WHERE published_at IS NOT NULL"
        self.real.execute(old)
        forgotten = [job for job in self.waiting() if job.row.published]
        assert sorted(self.real.tick(republish)) == sorted(job.id for job in forgotten)
        for job in forgotten:
            job.becomes(self.rules.forget_publication(job.row))
        self._report(idle, [])

    def _report(self, worker: Incarnation, queues: Sequence[QueueReport]) -> None:
        self.real(heartbeat(self.real.db, worker.id, device="cpu", lease=DAY, models=[], queues=queues))
