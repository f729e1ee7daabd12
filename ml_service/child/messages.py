"""Everything that crosses the pipe between a worker and its child: two closed unions of small messages.

A frame is the length of its body (4 bytes, big-endian) and the body, one message in MessagePack. Inputs and results
are JSON text that neither side of the pipe looks into on the way.
"""

from typing import cast

import msgspec

from ml_service.model import Batching
from shared.catalogue import ModelDescription
from shared.states import ErrorCode
from shared.uploads import Readable

HEADER = 4  # bytes


class _Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    pass


class BatchItem(msgspec.Struct, frozen=True, array_like=True):
    """One job's input, JSON text. uploads: what it refers to, and may read."""

    input: bytes
    uploads: tuple[Readable, ...] = ()


class Succeeded(_Message, frozen=True):
    """result: JSON text that fits the model's output schema, without NaN or infinity."""

    result: bytes


class Failed(_Message, frozen=True):
    """retryable: the model says that the reason passes."""

    code: ErrorCode
    message: str
    retryable: bool = False


class Stopped(_Message, frozen=True):
    """Was asked to stop, and did."""


Outcome = Succeeded | Failed | Stopped


class Load(_Message, frozen=True):
    """The first message, once. files: the model repository's root. threads: for torch; 0 leaves its own choice.

    blob_url: where uploads are. upload_limit: bytes of one that may be read into memory. result_limit: bytes.
    """

    target: str
    device: str
    files: str
    threads: int
    warm_up: bool
    blob_url: str
    upload_limit: int
    result_limit: int


class RunBatch(_Message, frozen=True):
    """One batch at a time: the next one follows BatchDone. An item is known by its place.

    patience: seconds to wait for uploads, all in all, where their store does not answer.
    """

    batch: int
    items: list[BatchItem]
    patience: float = 0.0


class Cancel(_Message, frozen=True):
    """Asks one item of the batch that runs to stop."""

    batch: int
    item: int


class Stop(_Message, frozen=True):
    """Finish what you have, then exit."""


class Described(_Message, frozen=True):
    """The class was imported and fulfils the interface."""

    description: ModelDescription
    batching: Batching


class Refused(_Message, frozen=True):
    """The class cannot be imported, or does not fulfil the interface. The last message."""

    message: str


class Ready(_Message, frozen=True):
    """Loaded and, where asked for, warmed up; batches may come."""

    device: str
    load_seconds: float


class LoadFailed(_Message, frozen=True):
    """The last message."""

    message: str


class Progress(_Message, frozen=True):
    """How far it is, 0 to 1."""

    fraction: float
    message: str | None


class Log(_Message, frozen=True):
    level: str
    message: str


class Metrics(_Message, frozen=True):
    """All finite."""

    values: dict[str, int | float]
    step: int | None


Saying = Progress | Log | Metrics


class Said(_Message, frozen=True):
    """What the model says of an item, or with None of all of the batch.

    at: seconds of the monotonic clock, which all processes of a machine share.
    """

    batch: int
    item: int | None
    at: float
    what: Saying


class Outcomes(_Message, frozen=True):
    """Some of the batch's outcomes, by item; each item gets exactly one before BatchDone."""

    batch: int
    outcomes: dict[int, Outcome]


class BatchDone(_Message, frozen=True):
    batch: int


class LastWords(_Message, frozen=True):
    """Why the process is about to end by itself."""

    message: str


ToChild = Load | RunBatch | Cancel | Stop
ToParent = Described | Refused | Ready | LoadFailed | Said | Outcomes | BatchDone | LastWords

_encoder = msgspec.msgpack.Encoder()
_to_child = msgspec.msgpack.Decoder(ToChild)
_to_parent = msgspec.msgpack.Decoder(ToParent)


def pack(message: ToChild | ToParent) -> bytearray:
    """The whole frame, built in place: a result can be tens of megabytes."""
    frame = bytearray(HEADER)
    _encoder.encode_into(message, frame, HEADER)
    frame[:HEADER] = (len(frame) - HEADER).to_bytes(HEADER, "big")
    return frame


def read_to_child(body: bytes | bytearray) -> ToChild:
    return cast(ToChild, _to_child.decode(body))


def read_to_parent(body: bytes | bytearray) -> ToParent:
    return cast(ToParent, _to_parent.decode(body))
