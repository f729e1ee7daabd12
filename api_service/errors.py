"""The part of the error tree that only HTTP knows."""

from collections.abc import Sequence

from shared.errors import Fault, TorchrelayError


class MalformedBody(TorchrelayError):
    """The body is not JSON (RFC 8259, in UTF-8)."""

    code = "malformed_body"


class BodyTooLarge(TorchrelayError):
    code = "body_too_large"


class BodyTooSlow(TorchrelayError):
    """The body did not come to its end in time: what it said of its length was not so, or somebody holds on to us."""

    code = "body_too_slow"


class NotJson(TorchrelayError):
    """The content type says that the body is something else than JSON."""

    code = "unsupported_media_type"


class EncodedBody(TorchrelayError):
    """The body is compressed, or encoded in another way."""

    code = "encoded_body"


class MalformedForm(TorchrelayError):
    """A form that cannot be read, or has anything but one file in it."""

    code = "malformed_form"


class UploadsBusy(TorchrelayError):
    """This process receives as many files as it can at once."""

    code = "uploads_busy"


class DoesNotFit(TorchrelayError):
    """What was asked is JSON, or a query, but not one that fits. `faults` say where and why."""

    code = "does_not_fit"

    def __init__(self, message: str, faults: Sequence[Fault]) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class MalformedKey(TorchrelayError):
    """An Idempotency-Key that is none."""

    code = "malformed_idempotency_key"


class KeyReused(TorchrelayError):
    """The same owner has sent another body with the same Idempotency-Key to the same route."""

    code = "idempotency_key_reused"


class StillStoring(TorchrelayError):
    """The first submission with this Idempotency-Key is not stored yet."""

    code = "idempotency_key_in_use"


class UnknownDeadLetter(TorchrelayError):
    """No such letter, or none any more."""

    code = "unknown_dead_letter"


class ResultGone(TorchrelayError):
    """The job succeeded, and its result has been purged since."""

    code = "result_gone"


class PreconditionFailed(TorchrelayError):
    """It is not what the client's If-Match names."""

    code = "precondition_failed"


class RangeNotSatisfiable(TorchrelayError):
    """The part that is asked for begins behind the end. size: bytes that there are."""

    code = "range_not_satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(f"There are {size} bytes.")
        self.size = size


class ForeignHost(TorchrelayError):
    """Without authentication, only requests that were meant for this machine are answered."""

    code = "foreign_host"


class Unauthenticated(TorchrelayError):
    """No credentials."""

    code = "unauthenticated"


class InvalidToken(Unauthenticated):
    """Credentials that are not good, or no longer."""

    code = "invalid_token"


class ScopeTooSmall(TorchrelayError):
    """The caller is known, and may not do this."""

    code = "scope_too_small"


class TryLater(TorchrelayError):
    """Not now. retry_after: seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(TryLater):
    """The owner submits faster than they may."""

    code = "rate_limited"


class TooManyWaiting(TryLater):
    """The owner has as many jobs waiting as they may."""

    code = "too_many_waiting"


class QueueFull(TryLater):
    """As many jobs wait as a queue may hold, whoever they belong to."""

    code = "queue_full"


class IssuerUnavailable(TryLater):
    """A token may be good, but the keys of who issued it cannot be had."""

    code = "issuer_unavailable"
