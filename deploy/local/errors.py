"""What can go wrong while the parts are put together."""

from typing import ClassVar

from shared.errors import TorchrelayError


class CannotStart(TorchrelayError):
    """The system cannot be started, or not be kept up. The text says why and what to do, in one sentence or two."""

    code: ClassVar[str] = "cannot_start"
