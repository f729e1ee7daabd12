"""Messages, and what becomes of one in one subscription."""

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from deploy.local.standin.ordering import Lane


class Message(NamedTuple):
    """What was published. The rest of the machinery does not look into `wire`, which has it all, serialized: that
    takes a quarter of the memory of a parsed message.
    """

    id: str
    wire: bytes  # a google.pubsub.v1.PubsubMessage, with id and publish time
    ordering_key: str
    published_at: float  # seconds since the epoch


class Delivery(NamedTuple):
    """One message on its way to one client."""

    ack_id: str
    message: Message
    attempt: int  # from 1


class Consumer:
    """Whoever is given messages: one pull, or one stream. Its outstanding messages are those leased to it."""

    __slots__ = ("ack_deadline", "bytes", "messages")

    def __init__(self, ack_deadline: float | None = None) -> None:
        """`ack_deadline`: in seconds; None: as its subscription has it."""
        self.ack_deadline = ack_deadline
        self.messages = 0
        self.bytes = 0

    def gained(self, size: int) -> None:
        self.messages += 1
        self.bytes += size

    def lost(self, size: int) -> None:
        """One was acknowledged, or is not its own any more."""
        self.messages -= 1
        self.bytes -= size


class State(Enum):
    READY = auto()  # may be delivered
    RESTING = auto()  # may be delivered later
    LEASED = auto()  # with a client, until its ack deadline
    GONE = auto()  # acknowledged, or forgotten


class Entry:
    """A message in a subscription. Its ack id is that of its latest delivery, and good until the next one."""

    __slots__ = ("ack_id", "confirmed", "failures", "holder", "lane", "message", "state")

    def __init__(self, message: Message, lane: "Lane | None") -> None:
        self.message = message
        self.lane = lane
        self.state = State.READY
        self.failures = 0  # how often it was handed back, or kept for too long
        self.ack_id = ""
        self.holder: Consumer | None = None
        self.confirmed = False  # the client has spoken of it since its delivery, and so has it
