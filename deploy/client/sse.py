"""A stream of server-sent events, as the HTML Standard reads it (section 9.2.6), from pieces cut anywhere."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.client.errors import UnexpectedAnswer

_LINE = re.compile(rb"(.*?)(?:\r\n|\n|\r)", re.DOTALL)
LONGEST = 8 * 1024 * 1024  # bytes of one event: more is no event of ours


@dataclass(frozen=True, slots=True)
class Message:
    """id: the last one that the stream told, "" before the first."""

    id: str
    event: str
    data: str


class Parser:
    """`feed` it, and take what is complete. What an end of the stream cuts off is dropped: it comes again.

    retry: seconds to wait before connecting again, if the stream said so.
    """

    def __init__(self) -> None:
        self.retry: float | None = None
        self._rest = b""
        self._first = True
        self._after_cr = False
        self._id = ""
        self._event = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[Message]:
        """Raises UnexpectedAnswer for an event without an end."""
        for line in self._lines(piece):
            if line:
                self._field(line)
                continue
            if self._data:
                yield Message(self._id, self._event or "message", "\n".join(self._data))
            self._event, self._data, self._size = "", [], 0

    def _lines(self, piece: bytes) -> Iterator[str]:
        text, at = self._rest + piece, 0
        if self._first and len(text) >= 3:
            text, self._first = text.removeprefix(b"\xef\xbb\xbf"), False
        # A CR ends its line at once; the LF that belongs to it may come with the next piece.
        if self._after_cr and piece:
            text = text.removeprefix(b"\n")
        self._after_cr = text.endswith(b"\r") if piece else self._after_cr
        while match := _LINE.match(text, at):
            at = match.end()
            yield match[1].decode("utf-8", "replace")
        self._rest = text[at:]
        if len(self._rest) + self._size > LONGEST:
            raise UnexpectedAnswer("An event is too long.")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        self._size += len(line)
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value[:9]) / 1000
            case _:  # a comment, or a field that nobody knows
                pass
