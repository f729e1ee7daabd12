"""Waiting for jobs by long polls: the server answers when there is news, so that nobody asks in vain."""

import math
from dataclasses import dataclass

from deploy.client.answers import Job, State
from deploy.client.effects import Answer, Give, Request, Steps, Stream, sleep
from deploy.client.errors import ConnectionFailed, ProblemError, WaitTimedOut
from deploy.client.interpretation import read_as
from deploy.client.references import JobRef, id_of, path_of
from deploy.client.retrying import Policy, Repeat, call, is_passing

TOO_SOON = 0.2  # seconds; a server that is going down answers all who wait at once
PAUSE = 1.0  # seconds before it is asked again then


@dataclass(slots=True)
class Watch:
    """One job, as far as it is known. refresh: seconds after which a queued one is asked for its place."""

    policy: Policy
    job_id: str
    deadline: float
    refresh: float | None = None
    job: Job | None = None
    etag: str = ""

    def next(self) -> Steps[bool]:
        """One poll. -> whether `job` has changed. Raises WaitTimedOut, ProblemError, ConnectionFailed."""
        left = self.deadline - self.policy.clock()
        if left <= 0:
            raise WaitTimedOut(self.job_id, self.job)
        try:
            return (yield from self._poll(left))
        except (ConnectionFailed, ProblemError) as error:
            # It was given up because the time is over: with more of it there would have been another try.
            if is_passing(error) and self.policy.clock() + self.policy.longest >= self.deadline:
                raise WaitTimedOut(self.job_id, self.job, error) from error
            raise

    def _poll(self, left: float) -> Steps[bool]:
        refreshing = self.refresh is not None and self.job is not None and self.job.state == State.QUEUED
        longest = min(self.policy.poll, self.refresh) if refreshing and self.refresh else self.policy.poll
        seconds = max(1, math.floor(min(longest, left)))
        began = self.policy.clock()
        # At first the job as it is.
        answer = yield from self._get(seconds if self.job else 0, self.etag)
        if answer.status == 304 and refreshing:
            answer = yield from self._get(0, "")
        job = self.job if answer.status == 304 else read_as(Job, answer)
        self.etag = answer.headers.get("etag", self.etag)
        changed, self.job = job != self.job, job
        if not changed and self.policy.clock() - began < TOO_SOON:
            yield from sleep(min(PAUSE, max(0.0, self.deadline - self.policy.clock())))
        return changed

    def _get(self, seconds: int, etag: str) -> Steps[Answer]:
        request = Request(
            "GET",
            path_of(self.job_id),
            self.policy.timeout + seconds,
            {"wait": str(seconds)} if seconds else {},
            {"If-None-Match": etag} if etag else {},
        )
        return (yield from call(self.policy, request, Repeat.ALWAYS, until=self.deadline))


def wait(policy: Policy, job: JobRef, timeout: float | None = None) -> Steps[Job]:
    """-> the job once it has finished, however it ended. timeout: seconds; None: for ever.

    Raises WaitTimedOut, ProblemError (`unknown_job`), and ConnectionFailed after `patience` without an answer.
    """
    watch = _watch(policy, job, timeout)
    while watch.job is None or not watch.job.finished:
        yield from watch.next()
    return watch.job


def follow(policy: Policy, job: JobRef, timeout: float | None = None, *, refresh: float | None = None) -> Stream[Job]:
    """The job now and after each change, until it has finished: progress for those who watch.

    refresh: seconds after which a queued job is asked for again, because its place in the queue changes without being a
    change of the job. Raises as `wait`.
    """
    watch = _watch(policy, job, timeout, refresh)
    while watch.job is None or not watch.job.finished:
        if (yield from watch.next()) and watch.job is not None:
            yield Give(watch.job)


def finished_or_latest(policy: Policy, job: Job, deadline: float) -> Steps[Job]:
    """As `wait`, from what is known; when the time is over, the job as it was last seen."""
    watch = Watch(policy, job.id, deadline, job=job)
    try:
        while watch.job is not None and not watch.job.finished:
            yield from watch.next()
    except WaitTimedOut:
        pass
    return watch.job or job


def _watch(policy: Policy, job: JobRef, timeout: float | None, refresh: float | None = None) -> Watch:
    deadline = math.inf if timeout is None else policy.clock() + timeout
    return Watch(policy, id_of(job), deadline, refresh)
