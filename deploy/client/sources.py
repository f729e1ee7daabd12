"""Files that are sent: a path, bytes, or an open file."""

import io
import mimetypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from deploy.client.errors import InvalidRequest

PIECE = 256 * 1024  # bytes: few enough to hold, many enough for each system call

File = str | os.PathLike[str] | bytes | BinaryIO
UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Source:
    """start: where an open file stood; None: it cannot be read a second time."""

    file: Path | bytes | BinaryIO
    content_type: str
    size: int | None
    start: int | None = 0

    @property
    def repeatable(self) -> bool:
        return self.start is not None

    def pieces(self) -> Iterator[bytes]:
        """From the beginning, each time where it is repeatable."""
        match self.file:
            case bytes():
                yield from (self.file[at : at + PIECE] for at in range(0, len(self.file), PIECE))
            case Path():
                with self.file.open("rb") as opened:
                    yield from iter(lambda: opened.read(PIECE), b"")
            case opened:
                if self.start is not None:
                    opened.seek(self.start)
                yield from iter(lambda: opened.read(PIECE), b"")


def source_of(file: File, content_type: str | None = None) -> Source:
    """content_type: else it is guessed from the name. Raises InvalidRequest for what cannot be read."""
    match file:
        case bytes():
            return Source(file, content_type or UNKNOWN, len(file))
        case str() | os.PathLike():
            return _named(Path(file), content_type)
        case io.TextIOBase():
            raise InvalidRequest("The file is open as text: open it in binary mode, 'rb'.")
        case opened:
            return _opened(opened, content_type or _guessed(str(getattr(opened, "name", ""))))


def _named(path: Path, content_type: str | None) -> Source:
    """What is no regular file, a pipe say, can be read only once: not even to see whether it can be."""
    kind = content_type or _guessed(path.name)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return Source(path, kind, None, None)
        with path.open("rb") as opened:
            return Source(path, kind, opened.seek(0, io.SEEK_END))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from error


def _opened(file: BinaryIO, content_type: str) -> Source:
    if not file.seekable():
        return Source(file, content_type, None, None)
    start = file.tell()
    size = file.seek(0, io.SEEK_END) - start
    file.seek(start)
    return Source(file, content_type, size, start)


def _guessed(name: str) -> str:
    return mimetypes.guess_type(name)[0] or UNKNOWN
