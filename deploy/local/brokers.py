"""Which broker a system on one machine uses."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from deploy.local.broker import LocalBroker
from deploy.local.emulator import Emulator, Missing, find
from deploy.local.errors import CannotStart
from deploy.local.ports import answers
from deploy.local.standin.process import StandInProcess

OFFICIAL, EMBEDDED = "official", "embedded"
_ADDRESS = re.compile(r"\S+:\d+")
_INSTALL = (
    "Install the Google Cloud SDK with its emulator (`gcloud components install beta pubsub-emulator`) and Java 11 or "
    "newer, or choose `--broker embedded`."
)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A broker that somebody else runs."""

    host: str  # host:port

    @property
    def what(self) -> str:
        return f"the broker at {self.host}"

    def check(self) -> None:
        """Raises CannotStart."""
        if not answers(self.host):
            raise CannotStart(
                f"Nothing answers at {self.host}: start that broker, or do without --broker and PUBSUB_EMULATOR_HOST."
            )


Broker = LocalBroker | Elsewhere


def choose(wanted: str | None, free_port: Callable[[], int]) -> tuple[Broker, str]:
    """`wanted`: official, embedded, host:port, or None for Google's emulator where it is installed and the stand-in
    where it is not. Returns it with a line that says which it is, and why. Raises CannotStart.
    """
    if wanted == EMBEDDED:
        return _explained(StandInProcess(port=free_port()))
    if wanted is not None and wanted != OFFICIAL:
        if not _ADDRESS.fullmatch(wanted):
            raise CannotStart(f"A broker is `{OFFICIAL}`, `{EMBEDDED}` or host:port, not {wanted!r}.")
        return _explained(Elsewhere(wanted))
    found = find()
    if not isinstance(found, Missing):
        return _explained(Emulator(port=free_port(), installation=found))
    if wanted == OFFICIAL:
        raise CannotStart(f"There is no emulator: {found.reason}. {_INSTALL}")
    return _explained(StandInProcess(port=free_port()), f" ({found.reason})")


def _explained(broker: Broker, why: str = "") -> tuple[Broker, str]:
    return broker, f"broker: {broker.what}{why}"
