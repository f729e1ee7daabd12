"""Workers on the table: claims, starts, settlements, heartbeats, lives."""

from collections.abc import Sequence
from uuid import UUID

from shared.database.claims import Unclaimed, claim, explain_unclaimed, put_back, start
from shared.database.entries import Ending
from shared.database.leases import heartbeat, leave, register_worker
from shared.database.settlement import Settlement, settle
from shared.job import Progress
from tests.contract.database.stage import new_id
from tests.contract.database.telling import write_progress
from tests.protocol import values as v
from tests.protocol.publishing import DAY, Publishing
from tests.protocol.table import Claim, Incarnation, Known
from tests.protocol.values import Job, Message

ENDINGS = {
    Ending.SUCCEEDED: v.SUCCESS,
    Ending.FAILED: v.FAILURE,
    Ending.RETRYABLE: v.RETRYABLE,
    Ending.LOST: v.LOST,
    Ending.LOST_UNSTARTED: v.LOST_UNSTARTED,
    Ending.CROWDED_OUT: v.CROWDED_OUT,
    Ending.HANDED_BACK: v.HANDED_BACK,
    Ending.STOPPED: v.STOPPED,
}


class Working(Publishing):
    # --- lives (rules 6 and 13)

    def worker_starts(self, model: str) -> Incarnation:
        worker = Incarnation(new_id(), len(self.workers) + 1, model)
        self.real(register_worker(self.real.db, worker.id, name="w", device="cpu", lease=DAY))
        self.workers.append(worker)
        return worker

    def process_ends(self, worker: Incarnation) -> None:
        worker.up = False
        worker.tasks.clear()

    def lease_runs_out(self, worker: Incarnation) -> None:
        self.real.execute(f"UPDATE workers SET lease_until = now() - interval '1 s' WHERE id = '{worker.id}'")
        worker.row = "over"

    def leaves(self, worker: Incarnation) -> None:
        self.real(leave(self.real.db, worker.id))
        worker.row = "dead" if worker.row == "dead" else "stopped"
        self.process_ends(worker)

    def heartbeat(self, worker: Incarnation) -> list[Claim]:
        """-> what it knows and still holds. Hands back what it does not know; declared dead, it drops everything."""
        held = self.real(heartbeat(self.real.db, worker.id, device="cpu", lease=DAY, models=[], queues=[]))
        if worker.row in {"dead", "stopped"}:
            assert held is None
            self.process_ends(worker)
            return []
        assert held is not None
        worker.row = "alive"
        mine = [job for job in self.where(*v.HELD) if job.row.worker == worker.number]
        assert {(one.id, one.attempt, one.cancelling) for one in held} == {
            (job.id, job.row.attempt, job.row.state == v.CANCELLING) for job in mine
        }
        found = [(self.number(job.id), job.row.attempt) for job in mine]
        self.settle([(one, Ending.HANDED_BACK) for one in found if one not in worker.tasks])
        return [one for one in found if one in worker.tasks]

    # --- claims (rule 5)

    def take(self, worker: Incarnation, messages: Sequence[Message], *, starts: bool) -> list[Claim]:
        """Claims what it can, and does with the rest what rule 5 says."""
        different = list(dict.fromkeys(messages))
        claimed = self.claim(worker, different, starts=starts)
        worker.tasks += claimed
        self._explain(worker, [one for one in different if one.job not in {number for number, _ in claimed}])
        return claimed

    def claim(self, worker: Incarnation, messages: Sequence[Message], *, starts: bool) -> list[Claim]:
        """Just the statement; its answer may be lost."""
        numbers = sorted({message.job for message in messages})
        expected = {number: row for number in numbers if (row := self._claimed(worker, self.jobs[number])) is not None}
        if starts:
            expected = {number: row if row.alone else _started(row) for number, row in expected.items()}
        ids = [self.jobs[number].id for number in numbers]
        found = self.real(claim(self.real.db, worker.id, worker.model, 1, ids, starts=starts))
        assert {(self.number(one.id), one.attempt, one.alone) for one in found} == {
            (number, row.attempt, row.alone) for number, row in expected.items()
        }
        for number, row in expected.items():
            self.jobs[number].becomes(row)
        claimed = [(number, row.attempt) for number, row in expected.items()]
        self.claims += claimed
        return claimed

    def _claimed(self, worker: Incarnation, job: Known) -> Job | None:
        if job.model != worker.model or not self.fit(worker):
            return None
        return self.rules.claim(job.row, worker.number)

    def _explain(self, worker: Incarnation, messages: Sequence[Message]) -> None:
        ids = [self.jobs[message.job].id for message in messages]
        reasons = self.real(explain_unclaimed(self.real.db, worker.id, [(worker.model, 1)], ids))
        assert reasons == {job.id: self._reason(worker, job) for job in (self.jobs[one.job] for one in messages)}
        for message in messages:
            reason = reasons[self.jobs[message.job].id]
            if reason in {Unclaimed.NOT_SERVED, Unclaimed.NOT_DUE}:
                self.put_back(message)
            if reason is not Unclaimed.WORKER_NOT_ALIVE:
                self.bag = [one for one in self.bag if one != message]

    def _reason(self, worker: Incarnation, job: Known) -> Unclaimed:
        if not self.fit(worker):
            return Unclaimed.WORKER_NOT_ALIVE
        if job.gone or job.row.state != v.QUEUED:
            return Unclaimed.ROW
        if not job.row.due:
            return Unclaimed.NOT_DUE
        return Unclaimed.NOT_SERVED if job.model != worker.model else Unclaimed.CLAIMABLE

    def put_back(self, message: Message) -> None:
        """What waits on keeps its deadline."""
        job = self.jobs[message.job]
        before = self.real.deadline(job.id)
        put = self.real(put_back(self.real.db, self.ids([message])))
        after = self.rules.put_back(job.row, message.publish_no)
        assert put == ([] if after is job.row else [job.id])
        assert self.real.deadline(job.id) == before
        job.waits_on |= after is not job.row
        job.becomes(after)

    # --- attempts (rules 1 and 8 to 10)

    def start(self, worker: Incarnation, claims: Sequence[Claim]) -> None:
        started = self.real(start(self.real.db, worker.id, self.ids(claims)))
        fit = self.fit(worker)
        held = [self.jobs[number] for number, attempt in claims if fit and self.jobs[number].is_held(attempt)]
        assert started.running == {job.id for job in held if job.row.state == v.RUNNING}
        assert started.cancelling == {job.id for job in held if job.row.state == v.CANCELLING}
        assert started.worker_alive == (fit or not claims)
        for job in held:
            job.becomes(_started(job.row))

    def settle(self, endings: Sequence[tuple[Claim, Ending]]) -> None:
        settlements, expected = [], dict[UUID, str]()
        for (number, attempt), kind in endings:
            job = self.jobs[number]
            result = f'"job {number}, attempt {attempt}"' if kind is Ending.SUCCEEDED else None
            settlements.append(Settlement(job.id, attempt, kind, result=result))
            after = self.rules.settle(job.row, attempt, ENDINGS[kind])
            if after is not None:
                job.becomes(after)
                job.result = result
                expected[job.id] = after.state
        assert self.real(settle(self.real.db, settlements)) == expected

    def forget(self, claims: Sequence[Claim]) -> None:
        """Settled, and the answer heard."""
        for worker in self.workers:
            worker.tasks = [one for one in worker.tasks if one not in claims]

    def write_progress(self, claims: Sequence[Claim]) -> None:
        told = [(self.jobs[number].id, attempt, Progress(0.5)) for number, attempt in claims]
        held = {self.jobs[number].id for number, attempt in claims if self.jobs[number].is_held(attempt)}
        assert self.real(write_progress(self.real.db, told)) == held


def _started(row: Job) -> Job:
    """Rule 9."""
    return row._replace(started=row.state == v.RUNNING, free_losses=0)
