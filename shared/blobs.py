"""Blobs: what is too large for a row, as files in a folder or a bucket, through fsspec.

A blob is written once, under a key that nobody else uses (it holds a UUID), and counts only once a row points at it: a
half-written one is a file without a row, and removed like any other. So deleting goes row, commit, file.
"""

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, ParamSpec, TypeVar, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from shared.daemon_threads import DaemonThreads, in_daemon_thread
from shared.errors import BlobMissing, BlobsUnavailable, InvalidSettings

CHUNK = 256 * 1024  # bytes read at once: what each download keeps in memory

# A disk over the network may hang for as long as its server is away, and no thread in it can be interrupted. So each call
# has a limit, after which it is left alone, and what hangs holds up nothing else, nor the end of the process.
CALL_TIMEOUT = 60.0  # seconds; none moves more than some megabytes
LISTING_TIMEOUT = 600.0  # a bucket tells the names a thousand at a time
GIVE_UP_TIMEOUT = 5.0  # for closing what was read, and tidying up, which the sweep does as well
_THREADS = DaemonThreads(32, "blobs")

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Written:
    """size: bytes. sha256: in hexadecimal."""

    size: int
    sha256: str


class Blobs:
    """url: a folder (made where there is none), `gs://bucket/prefix`, or any other URL that fsspec knows."""

    def __init__(self, url: str) -> None:
        """Raises InvalidSettings where there is nothing for such a URL."""
        try:
            # No caches: other processes write, too.
            self._files, root = fsspec.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except (ImportError, ValueError) as error:
            raise InvalidSettings(f"BLOB_URL: {error}") from error
        self._root = root.rstrip("/")

    async def create(self, key: str, chunks: AsyncIterator[bytes]) -> Written:
        """Returns once it is safe. What `chunks` raises comes through, and nothing is left then.

        Raises BlobsUnavailable, also where the key is taken.
        """
        try:
            return await self._create(self._path(key), chunks)
        except BlobMissing as error:  # no such bucket, or a folder that was removed as empty just now
            raise BlobsUnavailable("There is no place for it.") from error

    async def read(self, key: str, begin: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from `begin` up to `end`, in chunks. Raises BlobMissing, BlobsUnavailable."""
        file = await _call(self._files.open, self._path(key), "rb")
        try:
            if begin:
                await _call(file.seek, begin)
            left = None if end is None else end - begin
            while left is None or left > 0:
                chunk: bytes = await _call(file.read, CHUNK if left is None else min(CHUNK, left))
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            with suppress(BlobMissing, BlobsUnavailable):  # what was read was read, and a cancellation stays one
                await _within(GIVE_UP_TIMEOUT, file.close)

    async def read_all(self, key: str) -> bytes:
        return b"".join([chunk async for chunk in self.read(key)])

    def load(self, key: str, most: int, within: float) -> bytes:
        """For a process that may block, so many seconds: the first `most` bytes. Raises BlobMissing, BlobsUnavailable."""

        def call() -> bytes:
            with _translated(), self._files.open(self._path(key), "rb") as file:
                content: bytes = file.read(most)
                return content

        try:  # a thread of its own: a process that was forked has none of a pool's
            return in_daemon_thread(call, "blob").result(within)
        except (TimeoutError, RuntimeError) as error:
            raise BlobsUnavailable(_silent(within, error)) from error

    async def delete(self, keys: Collection[str]) -> None:
        """What is not there is no error. Raises BlobsUnavailable."""
        for key in keys:
            with suppress(BlobMissing):
                await _call(self._remove, key)

    async def older_than(self, age: timedelta, after: str = "") -> AsyncIterator[list[str]]:
        """The keys of all blobs that were written so long ago, a folder's at a time, by the names of the topmost folders.

        after: the name of a topmost folder: those up to it are left out. Raises BlobsUnavailable.
        """
        folders = self._old_keys(datetime.now(UTC) - age, after)
        while (keys := await _within(LISTING_TIMEOUT, next, folders, None)) is not None:
            if keys:
                yield keys

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    async def _create(self, path: str, chunks: AsyncIterator[bytes]) -> Written:
        digest, size = hashlib.sha256(), 0
        file = await _call(self._open_new, path)
        try:
            async for chunk in chunks:
                await _call(file.write, chunk)
                digest.update(chunk)
                size += len(chunk)
            await _call(_commit, file)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._give_up(file, path)))
            raise
        return Written(size, digest.hexdigest())

    def _open_new(self, path: str) -> BinaryIO:
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        return cast(BinaryIO, self._files.open(path, "xb"))

    async def _give_up(self, file: BinaryIO, path: str) -> None:
        """If that fails, too, it is a file without a row."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVE_UP_TIMEOUT):
                with suppress(BlobMissing, BlobsUnavailable):
                    await _call(file.close)
                with suppress(BlobMissing, BlobsUnavailable):
                    await _call(self._files.rm_file, path)

    def _remove(self, key: str) -> None:
        """Of a folder also the folders that are empty now: a job has two of its own. A bucket has none."""
        self._files.rm_file(self._path(key))
        if isinstance(self._files, LocalFileSystem):
            with suppress(OSError):  # one that is not empty stays, and what is above it
                while "/" in key:
                    key = key.rpartition("/")[0]
                    os.rmdir(self._path(key))  # noqa: PTH106 - a path of fsspec's

    def _old_keys(self, before: datetime, after: str) -> Iterator[list[str]]:
        for folder, folders, files in self._files.walk(self._root, detail=True):
            prefix = folder.rstrip("/").removeprefix(self._root).lstrip("/")
            if not prefix:
                below = {name: folders[name] for name in sorted(folders) if name > after}
                folders.clear()  # what is left in it is where the walk goes on, in this order
                folders.update(below)
            names = [name for name, details in files.items() if _modified(details) < before]
            yield [f"{prefix}/{name}" if prefix else name for name in names]


def _commit(file: BinaryIO) -> None:
    """A row will say that it is there: it must outlast a power cut, as the row does."""
    file.flush()
    with suppress(io.UnsupportedOperation, AttributeError):  # a bucket has it once it is closed
        os.fsync(file.fileno())
    file.close()


def _modified(details: dict[str, Any]) -> datetime:
    """Local files say it in seconds, others as a time or as its text."""
    when = details.get("mtime") or details.get("updated") or details.get("created")
    match when:
        case int() | float():
            return datetime.fromtimestamp(when, UTC)
        case str():
            return datetime.fromisoformat(when)
        case datetime():
            return when if when.tzinfo else when.replace(tzinfo=UTC)
        case _:
            return datetime.now(UTC)  # not known: never old


async def _call(function: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T:
    return await _within(CALL_TIMEOUT, function, *arguments, **options)


async def _within(limit: float, function: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T:
    """In a thread. Whatever the storage raises becomes an error of ours, and so does silence."""

    def call() -> _T:
        with _translated():
            return function(*arguments, **options)

    try:
        async with asyncio.timeout(limit):
            return await asyncio.get_running_loop().run_in_executor(_THREADS, call)
    except (TimeoutError, RuntimeError) as error:
        raise BlobsUnavailable(_silent(limit, error)) from error


def _silent(seconds: float, error: TimeoutError | RuntimeError) -> str:
    """RuntimeError: there is no thread to be had for the call."""
    if isinstance(error, TimeoutError):
        return f"The blob store has not answered for {seconds:.0f} s."
    return str(error)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissing("The blob is not there.") from error
    except Exception as error:
        raise BlobsUnavailable(f"{type(error).__name__}: {error}") from error
