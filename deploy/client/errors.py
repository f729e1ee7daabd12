"""Everything that the client raises. Each text says what happened and, where there is something to do, what."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.client.answers import Fault, Job


class TorchrelayClientError(Exception):
    """The base of them all."""


class InvalidRequest(TorchrelayClientError, ValueError):
    """The arguments, or the settings from the environment, cannot be used. Nothing was sent."""


class ConnectionFailed(TorchrelayClientError):
    """The server could not be reached, or broke off, for as long as the client had patience.

    uncertain: whether the server may have done what was asked all the same. idempotency_key: of a submission of which that is
    not certain; repeated with this key, it is stored once.
    """

    def __init__(self, message: str, *, uncertain: bool, idempotency_key: str | None = None) -> None:
        super().__init__(message)
        self.uncertain = uncertain
        self.idempotency_key = idempotency_key


class UnexpectedAnswer(TorchrelayClientError):
    """An answer that no Torchrelay gives: something else listens there, or stands between."""


class ProblemError(TorchrelayClientError):
    """The server refused, or could not. `code` is stable: decide by it, not by the text.

    errors: what is wrong with a request, and where. retry_after: seconds after which it may go better.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str | None,
        errors: "Sequence[Fault]",
        retry_after: float | None,
    ) -> None:
        faults = "; ".join(f"{fault.path or 'the body'}: {fault.message}" for fault in errors)
        text = ": ".join(part for part in (detail or title, faults) if part)
        super().__init__(f"{text} ({status} {code}){_advice(status, retry_after)}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after


class JobFailed(TorchrelayClientError):
    """The job ended without a result: it failed, was cancelled or expired. `job.error` says why it failed."""

    def __init__(self, job: "Job") -> None:
        why = f": {job.error.message} ({job.error.code})" if job.error else ""
        super().__init__(f"Job {job.id} is {job.state}{why}. To queue it again: retry.")
        self.job = job


class WaitTimedOut(TorchrelayClientError, TimeoutError):
    """The time that was given is over, and the job has not finished. It goes on: wait for it again, or cancel it."""

    def __init__(self, job_id: str, job: "Job | None", cause: Exception | None = None) -> None:
        state = f"It is {job.state}, and goes on." if job else "Nothing is known of it."
        trouble = f" The last that was heard: {cause}" if cause else ""
        super().__init__(f"Job {job_id} has not finished in the time given. {state}{trouble}")
        self.job_id = job_id
        self.job = job


def _advice(status: int, retry_after: float | None) -> str:
    if status == 401:
        return " Give an API key that is good: TORCHRELAY_API_KEY."
    return f" Try again in {retry_after:.0f} s." if retry_after else ""
