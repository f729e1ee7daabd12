"""Why a call is refused, with the status that Google's service would give."""

from collections.abc import Mapping
from typing import ClassVar

import grpc

from shared.errors import TorchrelayError


class Refused(TorchrelayError):
    """The answer to a call is this status and text."""

    code: ClassVar[str] = "standin_refused"
    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN


class InvalidArgument(Refused):
    code: ClassVar[str] = "standin_invalid_argument"
    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.INVALID_ARGUMENT


class NotThere(Refused):
    code: ClassVar[str] = "standin_not_found"
    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(f"Resource not found (resource={name.rpartition('/')[2]}).")


class AlreadyThere(Refused):
    code: ClassVar[str] = "standin_already_exists"
    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.ALREADY_EXISTS

    def __init__(self, name: str) -> None:
        super().__init__(f"Resource already exists in the project (resource={name.rpartition('/')[2]}).")


class FailedPrecondition(Refused):
    code: ClassVar[str] = "standin_failed_precondition"
    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.FAILED_PRECONDITION


class Unsupported(Refused):
    code: ClassVar[str] = "standin_unimplemented"
    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNIMPLEMENTED


class OutOfRange(Refused):
    code: ClassVar[str] = "standin_out_of_range"
    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.OUT_OF_RANGE


class FailedAckIds(InvalidArgument):
    """Exactly-once delivery only. `reasons`: by ack id, in the words that the client libraries look for."""

    code: ClassVar[str] = "standin_failed_ack_ids"

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("Some acknowledgement ids in the request were invalid.")
        self.reasons = reasons
