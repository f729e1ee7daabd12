"""What the stand-in can be told, as JSON over its own port."""

import msgspec

from deploy.local.standin.faults import Fault, Kind, Told

SERVICE, METHOD = "torchrelay.standin.v1.Control", "Tell"


class Inject(msgspec.Struct, frozen=True, tag="inject", forbid_unknown_fields=True):
    """From now on. The answer is the fault's number."""

    fault: Fault


class Withdraw(msgspec.Struct, frozen=True, tag="withdraw", forbid_unknown_fields=True):
    """One fault, by its number, or all. Calls that hang go on. The answer is the report of what had been injected."""

    number: int | None = None


class Seed(msgspec.Struct, frozen=True, tag="seed", forbid_unknown_fields=True):
    """Chance begins anew: the same calls in the same order meet the same faults."""

    seed: int


class Ask(msgspec.Struct, frozen=True, tag="ask", forbid_unknown_fields=True):
    """For the report."""


class CloseStreams(msgspec.Struct, frozen=True, tag="close_streams", forbid_unknown_fields=True):
    """All open streams of these subscriptions end with this status. The answer is how many there were."""

    resource: str = "*"
    status: str = "UNAVAILABLE"
    text: str = "closed as told"


class Forget(msgspec.Struct, frozen=True, tag="forget", forbid_unknown_fields=True):
    """All topics, subscriptions, snapshots and messages, as a restart would. Faults stay."""


Command = Inject | Withdraw | Seed | Ask | CloseStreams | Forget


class Answer(msgspec.Struct, frozen=True):
    number: int = 0  # of the fault, or of streams closed
    told: tuple[Told, ...] = ()

    @property
    def injected(self) -> dict[Kind, int]:
        """How often each kind was, in the faults of this report."""
        return {kind: sum(one.injected for one in self.told if one.fault.kind is kind) for kind in Kind}
