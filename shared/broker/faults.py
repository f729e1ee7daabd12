"""Google's exceptions become ours, with what to do about them."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, Unauthorized

from shared.errors import BrokerUnavailable, NotProvisioned


@contextmanager
def translated(doing: str, role: str) -> Iterator[None]:
    """`doing` begins the error's text; `role` is what an account needs for it.

    Whatever is neither "not there" nor "not allowed" counts as passing: a wrong guess costs a repetition, whereas
    giving up would cost the job. That takes in UNAVAILABLE (connection refused is one), DEADLINE_EXCEEDED, INTERNAL,
    ABORTED, CANCELLED by the server and RESOURCE_EXHAUSTED.
    """
    try:
        yield
    except NotFound as error:
        raise NotProvisioned(
            f"{doing}: {error.message} Provision the queue (`python -m ml_service register`)."
        ) from error
    except (Forbidden, Unauthorized) as error:
        raise BrokerUnavailable(
            f"{doing}: not permitted ({error.message}). This does not pass by itself: grant the service account {role}."
        ) from error
    except GoogleAPIError as error:
        raise BrokerUnavailable(f"{doing}: {error}") from error
