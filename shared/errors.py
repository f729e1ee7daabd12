"""Every error that Torchrelay raises on purpose, each with a stable code. Drivers' exceptions are translated where they arise."""

from dataclasses import dataclass
from typing import ClassVar


class TorchrelayError(Exception):
    """The root. `code` is stable: clients and operators may match on it."""

    code: ClassVar[str] = "internal_error"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document. `path` is a JSON Pointer (RFC 6901) to the place, "" for the whole."""

    path: str
    message: str


class InvalidSettings(TorchrelayError):
    """A setting's value does not fit. The text names each variable and what is wrong with it."""

    code = "invalid_settings"


class DatabaseUnavailable(TorchrelayError):
    """The database does not answer. What was asked may or may not have happened: repeat it, it is guarded."""

    code = "database_unavailable"


class DatabaseBusy(DatabaseUnavailable):
    """A transaction met a deadlock or another writer and was undone. The database is there: repeat it at once."""


class DatabaseSlow(DatabaseUnavailable):
    """The database is there, but ended the statement as it took too long: ask for less at once, or later."""


class DatabaseRefused(TorchrelayError):
    """The database will not take this value, now or later: it breaks a type or a CHECK."""

    code = "database_refused"


class ReferenceGone(DatabaseRefused):
    """The database will not take this row: what it refers to is not there, or not any more."""


class BrokerUnavailable(TorchrelayError):
    """The broker does not answer, or refuses for now."""

    code = "broker_unavailable"


class BlobsUnavailable(TorchrelayError):
    """The blob store does not answer, or refuses for now."""

    code = "blobs_unavailable"


class BlobMissing(TorchrelayError):
    """The blob store has nothing under this key."""

    code = "blob_missing"


class NotProvisioned(TorchrelayError):
    """A topic or subscription is not there: never provisioned, or the broker lost it."""

    code = "not_provisioned"


class UnreadableMessage(TorchrelayError):
    """A message that is not one of ours, or of a version from the future. The text says why."""

    code = "unreadable_message"


class UnknownModel(TorchrelayError):
    """No such model, or no such version of it. The text names those there are."""

    code = "unknown_model"


class SchemaConflict(TorchrelayError):
    """A known version of a model is offered with other schemas: raise the version instead."""

    code = "schema_conflict"


class InvalidModel(TorchrelayError):
    """A class that does not fulfil the model interface, or two of the same name."""

    code = "invalid_model"


class UnknownJob(TorchrelayError):
    """No such job, or not the caller's."""

    code = "unknown_job"


class WrongState(TorchrelayError):
    """The job's state does not allow what was asked."""

    code = "wrong_state"


class AlreadySubmitted(TorchrelayError):
    """The same owner has used this idempotency key before."""

    code = "already_submitted"


class ModelFault(TorchrelayError):
    """What a model may raise to say more than "it broke": any other exception is a `model_error`."""


class InvalidInput(ModelFault):
    """This input cannot be processed, and trying again will not help."""

    code = "invalid_input"


class RetryableError(ModelFault):
    """This attempt failed for a passing reason: the job is queued again, with back-off, while its budget lasts."""

    code = "model_error"


class Cancelled(ModelFault):
    """Raised by `run.check_cancelled()`. Let it through: the work has stopped."""

    code = "cancelled"
