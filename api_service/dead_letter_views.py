"""Dead letters, as operators see them."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.database.dead_letters import DeadLetter

Time = Annotated[datetime, Meta(tz=True)]
Encoding = Literal["utf-8", "base64"]


class DeadLetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A message that nobody could read."""

    id: UUID
    queue: Annotated[str, Meta(description="The one that it came through.")]
    reason: Annotated[str, Meta(description="Why it could not be read when it came.")]
    received_at: Time
    size: Annotated[int, Meta(description="Bytes of its data.")]
    attributes: Annotated[dict[str, str], Meta(description="Of the message, as it came.")]
    data: Annotated[str | UnsetType, Meta(description="What it says. Not in lists.")] = UNSET
    encoding: Annotated[
        Encoding | UnsetType, Meta(description="`utf-8`: `data` is its text; `base64`: it is none. Not in lists.")
    ] = UNSET


class DeadLetterPage(msgspec.Struct, frozen=True):
    """Newest first, without their data. `next_cursor` is null on the last page."""

    dead_letters: list[DeadLetterView]
    next_cursor: str | None


_encode = msgspec.json.Encoder().encode


def render_dead_letter(letter: DeadLetter, data: bytes) -> bytes:
    text, encoding = _readable(data)
    return _encode(_view(letter, text, encoding))


def render_dead_letters(letters: Sequence[DeadLetter], next_cursor: str | None) -> bytes:
    return _encode(DeadLetterPage([_view(letter) for letter in letters], next_cursor))


def _readable(data: bytes) -> tuple[str, Encoding]:
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(data).decode(), "base64"


def _view(letter: DeadLetter, data: str | UnsetType = UNSET, encoding: Encoding | UnsetType = UNSET) -> DeadLetterView:
    return DeadLetterView(
        id=letter.id,
        queue=letter.queue,
        reason=letter.reason,
        received_at=letter.received_at,
        size=letter.size,
        attributes=dict(letter.attributes),
        data=data,
        encoding=encoding,
    )
