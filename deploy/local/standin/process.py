"""The stand-in in a process of its own."""

import sys
from dataclasses import dataclass
from typing import ClassVar

from deploy.local.broker import LocalBroker
from deploy.local.ports import HOST
from deploy.local.tether import tethered


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInProcess(LocalBroker):
    what: ClassVar[str] = "Torchrelay's stand-in for Pub/Sub"

    def command(self) -> list[str]:
        return tethered([sys.executable, "-m", "deploy.local.standin", "--host", HOST, "--port", str(self.port)])
