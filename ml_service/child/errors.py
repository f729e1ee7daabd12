"""How a child process ends badly, as its parent sees it."""

from collections.abc import Mapping

from ml_service.child.messages import Outcome
from shared.errors import TorchrelayError


class ChildDied(TorchrelayError):
    """The process is gone.

    reason: such as "killed by SIGSEGV" or "exited with code 3". outcomes: those that had already come back for the
    batch that it was running, by item. overgrown: it was killed for holding more memory than it may.
    """

    code = "worker_lost"

    def __init__(self, reason: str, outcomes: Mapping[int, Outcome] | None = None, *, overgrown: bool = False) -> None:
        super().__init__(f"the model's process died: {reason}")
        self.reason = reason
        self.outcomes: dict[int, Outcome] = dict(outcomes or {})
        self.overgrown = overgrown


class ModelLoadFailed(TorchrelayError):
    """The model's own code, its files or its device would not have it loaded. The text is the exception's."""

    code = "model_load_failed"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
