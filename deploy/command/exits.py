"""What the command's exit status says."""

from enum import IntEnum

from deploy.client import InvalidRequest, JobFailed, ProblemError, TorchrelayClientError, WaitTimedOut


class Exit(IntEnum):
    DONE = 0
    JOB_FAILED = 1  # it ended without a result: failed, cancelled or expired
    USAGE = 2  # the command was not used rightly; nothing was sent
    SERVER = 3  # it could not be reached, or was not able to answer; later it may
    REFUSED = 4  # the server said no: not there, not allowed, does not fit, not in this state
    TIMED_OUT = 5  # --timeout is over; the job goes on
    INTERRUPTED = 130  # Ctrl-C; a job goes on


def exit_of(error: TorchrelayClientError) -> Exit:
    match error:
        case JobFailed():
            return Exit.JOB_FAILED
        case InvalidRequest():
            return Exit.USAGE
        case WaitTimedOut():
            return Exit.TIMED_OUT
        case ProblemError() if error.status < 500 and error.status != 429:
            return Exit.REFUSED
        case _:
            return Exit.SERVER
