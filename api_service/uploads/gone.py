"""An upload that was removed between the look at it and the job that refers to it."""

from collections.abc import Iterator
from contextlib import contextmanager

from api_service.errors import DoesNotFit
from shared.errors import Fault, ReferenceGone

_TEXT = "An upload that the input refers to was removed in this moment: send it again."


@contextmanager
def refused_as_gone() -> Iterator[None]:
    """The database, which alone can tell, does not say which one it was. Raises DoesNotFit."""
    try:
        yield
    except ReferenceGone:
        raise DoesNotFit("An upload is gone.", [Fault("", _TEXT)]) from None
