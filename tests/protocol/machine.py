"""Whatever order hypothesis thinks of. After each step every real row must be what the model says; in the end all must end."""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.database.entries import Ending
from tests.protocol.keeping import Keeping
from tests.protocol.real import Real
from tests.protocol.table import MODELS, Claim
from tests.protocol.values import FINISHED, RUNNING

MAX_JOBS = 8
MAX_WORKERS = 5
HOW_FAR = ("published", "claimed", "started", "ended", "ended")
_MODEL = st.sampled_from([MODELS[0], MODELS[0], MODELS[1]])

_Item = TypeVar("_Item")


class Protocol(RuleBasedStateMachine):
    """Few rules, each of several things that may happen: so that histories come far, and are not all noise."""

    def __init__(self, real: Real) -> None:
        super().__init__()
        self.on = Keeping(real)

    @initialize(data=st.data(), models=st.lists(_MODEL, min_size=1, max_size=4))
    def begin(self, data: st.DataObject, models: list[str]) -> None:
        """Jobs, and a worker of each model that may have them already."""
        self.on.submit(models)
        for model in MODELS:
            self.on.worker_starts(model)
        self.all_goes_well(data, data.draw(st.sampled_from(HOW_FAR)), starts=False)

    @precondition(lambda self: len(self.on.jobs) < MAX_JOBS)
    @rule(models=st.lists(_MODEL, min_size=1, max_size=3))
    def submit(self, models: list[str]) -> None:
        self.on.submit(models)

    @precondition(lambda self: self.on.publications or self.on.waiting())
    @rule(data=st.data(), event=st.sampled_from(["lease over", "sweep", "publish", "stamp", "refused", "relay dies"]))
    def relay(self, data: st.DataObject, event: str) -> None:
        unsent = [one for one in self.on.publications if not one.sent]
        sent = [one for one in self.on.publications if one.sent]
        if event == "lease over":
            self.on.publish_leases_run_out()
        elif event == "sweep":
            self.on.sweep()
        elif event == "publish" and unsent:
            self.on.publish(data.draw(st.sampled_from(unsent)))
        elif event == "stamp" and sent:
            self.on.stamp(some(data, sent))
        elif event == "refused" and unsent:
            self.on.refused(data.draw(st.sampled_from(unsent)))
        elif event == "relay dies" and unsent + sent:
            self.on.publications.remove(data.draw(st.sampled_from(unsent + sent)))

    @precondition(lambda self: self.on.old)
    @rule(data=st.data(), event=st.sampled_from(["loses", "dead-letters", "forgets all", "is asked again"]))
    def broker(self, data: st.DataObject, event: str) -> None:
        if event == "loses" and self.on.bag:
            self.on.lose(some(data, self.on.bag))
        elif event == "dead-letters":
            self.on.dead_letter(some(data, self.on.old))
        elif event == "forgets all":
            self.on.subscription_made_anew()
        elif event == "is asked again" and self.on.serving():
            self.on.republish(data.draw(st.sampled_from(self.on.serving())))

    @precondition(lambda self: self.on.serving())
    @rule(data=st.data(), how_far=st.sampled_from(HOW_FAR), starts=st.booleans())
    def all_goes_well(self, data: st.DataObject, how_far: str, *, starts: bool) -> None:
        """Whatever waits gets to a worker."""
        self.on.publish_all()
        for worker in self.on.serving() if how_far != "published" else ():
            claimed = self.on.take(worker, self.on.bag, starts=starts)
            if how_far in {"started", "ended"} and claimed:
                self.on.start(worker, claimed)
            if how_far == "ended":
                self._settle(data, claimed)

    @precondition(lambda self: self.on.old)
    @rule(data=st.data(), heard=st.booleans(), starts=st.booleans())
    def claim(self, data: st.DataObject, *, heard: bool, starts: bool) -> None:
        """Any worker, in whatever state, gets any messages, also acked ones again.

        heard: its claim's answer arrives. starts: the claim notes the start, too.
        """
        worker = data.draw(st.sampled_from(self.on.workers))
        messages = some(data, self.on.old)
        if heard and worker.up:
            self.on.take(worker, messages, starts=starts)
        else:
            self.on.claim(worker, messages, starts=starts)

    @precondition(lambda self: self.on.old)
    @rule(data=st.data())
    def put_back(self, data: st.DataObject) -> None:
        """A message of long ago reaches a worker that does not serve its model."""
        self.on.put_back(data.draw(st.sampled_from(self.on.old)))

    @precondition(lambda self: self.on.claims)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.on.start(data.draw(st.sampled_from(self.on.workers)), self._attempts(data))

    @precondition(lambda self: self.on.claims)
    @rule(data=st.data(), heard=st.booleans())
    def settle(self, data: st.DataObject, *, heard: bool) -> None:
        """heard: else it may be said again, in whatever words."""
        claims = self._attempts(data)
        self._settle(data, claims)
        if heard:
            self.on.forget(claims)

    def _settle(self, data: st.DataObject, claims: list[Claim]) -> None:
        self.on.settle([(one, data.draw(st.sampled_from(self._endings(one)))) for one in claims])

    def _attempts(self, data: st.DataObject) -> list[Claim]:
        """Mostly ones that are held; else any that ever were."""
        held = self.on.held()
        return some(data, held if held and not data.draw(st.sampled_from([0, 0, 0, 1])) else self.on.claims)

    def _endings(self, claim: Claim) -> list[Ending]:
        """A worker stops only what it was told to stop."""
        job = self.on.jobs[claim[0]]
        running = job.is_held(claim[1]) and job.row.state == RUNNING
        return [kind for kind in Ending if kind is not Ending.STOPPED or not running]

    @precondition(lambda self: self.on.claims)
    @rule(data=st.data())
    def progress(self, data: st.DataObject) -> None:
        self.on.write_progress(self._attempts(data))

    @precondition(lambda self: any(worker.up for worker in self.on.workers))
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        self.on.heartbeat(data.draw(st.sampled_from([one for one in self.on.workers if one.up])))

    @rule(data=st.data(), event=st.sampled_from(["starts", "dies", "lease over", "dies, lease over", "leaves"]))
    def worker(self, data: st.DataObject, event: str) -> None:
        if event == "starts":
            if len(self.on.workers) < MAX_WORKERS:
                self.on.worker_starts(data.draw(_MODEL))
        elif event == "leaves" and any(worker.up for worker in self.on.workers):
            self.on.leaves(data.draw(st.sampled_from([worker for worker in self.on.workers if worker.up])))
        elif self.on.serving():
            worker = data.draw(st.sampled_from(self.on.serving()))
            if "dies" in event:
                self.on.process_ends(worker)
            if "lease over" in event:
                self.on.lease_runs_out(worker)

    @precondition(lambda self: any(worker.row != "alive" for worker in self.on.workers))
    @rule(contact=st.booleans())
    def tick(self, *, contact: bool) -> None:
        self.on.tick(contact=contact)

    @rule(data=st.data(), event=st.sampled_from(["cancels", "retries", "retries", "deletes"]))
    def user(self, data: st.DataObject, event: str) -> None:
        if event == "cancels":
            self.on.cancel(data.draw(st.sampled_from(self.on.jobs)))
        elif event == "deletes":
            self.on.delete(data.draw(st.sampled_from(self.on.jobs)))
        elif self.on.where(*FINISHED):
            self.on.retry(data.draw(st.sampled_from(self.on.where(*FINISHED))))

    @precondition(lambda self: self.on.where(*FINISHED))
    @rule(data=st.data(), purges=st.booleans())
    def retention(self, data: st.DataObject, *, purges: bool) -> None:
        for number in some(data, range(len(self.on.jobs))):
            self.on.retention_is_over(self.on.jobs[number])
        if purges:
            self.on.purge()

    @precondition(lambda self: self.on.waiting())
    @rule(
        data=st.data(),
        event=st.sampled_from(["back-offs end", "set back", "a deadline passes", "what is late expires"]),
    )
    def time(self, data: st.DataObject, event: str) -> None:
        if event == "back-offs end":
            self.on.back_offs_end()
        elif event == "set back":
            self.on.clock_is_set_back()
        elif event == "a deadline passes":
            self.on.deadline_passes(data.draw(st.sampled_from(self.on.waiting())))
        else:
            self.on.expire()

    @invariant()
    def every_row_is_what_the_model_says(self) -> None:
        self.on.compare()

    def teardown(self) -> None:
        self.on.end_everything()


def some(data: st.DataObject, items: Sequence[_Item]) -> list[_Item]:
    """One to four of them."""
    return data.draw(st.lists(st.sampled_from(list(dict.fromkeys(items))), unique=True, min_size=1, max_size=4))
