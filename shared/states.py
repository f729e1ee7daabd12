"""The states of a job and the moves between them.

                    submit
                      |
                      v        claim                  settle
      cancel    +---------+ ---------> +---------+ ------------> succeeded
    cancelled <-| queued  |            | running | ------------> failed
                +---------+ <--------- +---------+                 |
      queue_ttl   |   ^     put back,       | cancel               |
    expired <-----+   |     retryable,      v                      |
                      |     worker lost  +------------+            |
                      |                  | cancelling | -> cancelled, or succeeded if the result was already there
                      |                  +------------+            |
                      +---------- retry (new budget) --------------+  from failed, cancelled and expired

What each state means, who moves a job on, and what a crash leaves behind:

queued      committed, waiting for a worker. Moved on by a claim, a cancel, or the reconciler past `queue_deadline`.
            A crash of anything leaves it queued; the relay's sweep or the reconciler publishes it again.
running     one attempt, by one worker incarnation, holds it. Moved on by that attempt's settlement; if the incarnation
            dies, the reconciler puts it back to `queued` (or fails it, once its budget is used up).
cancelling  asked to stop, not stopped yet. It ends as `cancelled` when the work has really stopped (or its worker has
            died), or as `succeeded` if a finished result was already on its way. Never back to `queued`.
succeeded   has a result. Final.
failed      has an error. `retry` gives it a new budget.
cancelled   ended on request, without a result. `retry` queues it again.
expired     waited past its `queue_deadline`. `retry` queues it again.
"""

from enum import StrEnum


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def finished(self) -> bool:
        return self in FINISHED


FINISHED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})
HELD = frozenset({JobState.RUNNING, JobState.CANCELLING})
RETRYABLE = FINISHED - {JobState.SUCCEEDED}

TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.EXPIRED}),
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.CANCELLING, JobState.SUCCEEDED, JobState.FAILED}),
    JobState.CANCELLING: frozenset({JobState.SUCCEEDED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.EXPIRED: frozenset({JobState.QUEUED}),
}


class Task(StrEnum):
    INFERENCE = "inference"
    TRAINING = "training"


class ErrorCode(StrEnum):
    """What a job's `error.code` says."""

    INVALID_INPUT = "invalid_input"  # the model refused this input
    MODEL_ERROR = "model_error"  # the model raised, or its output does not fit its schema
    OUT_OF_MEMORY = "out_of_memory"  # even alone in its batch
    EXECUTION_TIMEOUT = "execution_timeout"  # ran longer than its limit, and was stopped
    WORKER_LOST = "worker_lost"  # the process that ran it died
    QUEUE_EXPIRED = "queue_expired"  # waited longer than its queue_ttl
    MODEL_LOAD_FAILED = "model_load_failed"  # the child died while loading the model, time and again
