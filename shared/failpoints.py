"""Named places at which a process kills itself, if the setting FAILPOINT says so: the tests look at what that leaves behind.

A place is a line `reached(Failpoint.X)`. Unless it is armed, that is one comparison.
"""

import os
import signal
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import InvalidSettings


class Failpoint(StrEnum):
    API_INSERTING = "api.inserting"  # submissions were found good, and nothing is stored
    API_INSERTED = "api.inserted"  # jobs are committed, their submitters not answered
    RELAY_LEASED = "relay.leased"  # jobs are leased to this relay, and not published
    RELAY_PUBLISHED = "relay.published"  # they are published, and not stamped
    RECONCILER_REQUEUED = "reconciler.requeued"  # in the middle of a tick that has taken jobs back
    WEBHOOK_CALLED = "webhook.called"  # a receiver has heard, and it is not noted
    WORKER_CLAIMED = "worker.claimed"  # jobs are claimed, and some perhaps started, but nobody here knows yet
    WORKER_STARTING = "worker.starting"  # a claimed batch is about to be noted as started
    WORKER_STARTED = "worker.started"  # it is, and the child has not been given it
    WORKER_COMPUTED = "worker.computed"  # it has been computed, and is not settled
    WORKER_STORED = "worker.stored"  # a large result is in the blob store, and no row points at it
    WORKER_SETTLED = "worker.settled"  # it is settled, its messages are not acknowledged
    WORKER_DRAINING = "worker.draining"  # SIGTERM has come, running jobs are waited for


@dataclass(slots=True)
class _Armed:
    """passes: how often it is still passed before the process dies."""

    failpoint: Failpoint | None = None
    passes: int = 0


_armed = _Armed()


def arm(setting: str) -> None:
    """`name`, or `name:n` for the n-th time that the place is reached; empty: none. Raises InvalidSettings."""
    name, _, number = setting.partition(":")
    try:
        failpoint, passes = Failpoint(name) if setting else None, int(number or "1") - 1
    except ValueError:
        known = ", ".join(Failpoint)
        raise InvalidSettings(f"FAILPOINT: {setting!r} is not one of {known}, or one of them with `:number`.") from None
    _armed.failpoint, _armed.passes = failpoint, passes


def reached(failpoint: Failpoint) -> None:
    """Does not return if this one is armed and due: the process is gone, as with a power cut."""
    if _armed.failpoint is not failpoint:
        return
    if _armed.passes:
        _armed.passes -= 1
        return
    os.kill(os.getpid(), signal.SIGKILL)
