"""The blob store, over a folder and over fsspec's memory: what holds for both holds for a bucket."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from shared import blobs as module
from shared.blobs import Blobs
from shared.daemon_threads import DaemonThreads
from shared.errors import BlobMissing, BlobsUnavailable, InvalidSettings

CONTENT = bytes(range(256)) * 3000


async def pieces(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), size):
        yield content[begin : begin + size]


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "blobs") if request.param == "folder" else f"memory://{uuid4()}")


async def all_of(blobs: Blobs) -> set[str]:
    return {key async for keys in blobs.older_than(timedelta(seconds=-60)) for key in keys}


async def test_what_was_written_is_read(blobs: Blobs) -> None:
    written = await blobs.create("job/1/a", pieces(CONTENT))
    assert (written.size, written.sha256) == (len(CONTENT), sha256(CONTENT).hexdigest())
    assert await blobs.read_all("job/1/a") == CONTENT


@pytest.mark.parametrize(("begin", "end"), [(0, 1), (5, None), (300_000, 600_001), (10, 10), (767_999, 10**9)])
async def test_a_part_is_read(blobs: Blobs, begin: int, end: int | None) -> None:
    await blobs.create("a", pieces(CONTENT))
    assert b"".join([chunk async for chunk in blobs.read("a", begin, end)]) == CONTENT[begin:end]


async def test_it_is_read_in_chunks(blobs: Blobs) -> None:
    await blobs.create("a", pieces(CONTENT))
    assert max([len(chunk) async for chunk in blobs.read("a")]) == module.CHUNK


async def test_nothing_is_written_twice(blobs: Blobs) -> None:
    await blobs.create("a", pieces(b"first"))
    with pytest.raises(BlobsUnavailable):
        await blobs.create("a", pieces(b"second"))
    assert await blobs.read_all("a") == b"first"


async def test_what_breaks_off_leaves_nothing(blobs: Blobs) -> None:
    class TooLargeError(Exception):
        pass

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        raise TooLargeError

    with pytest.raises(TooLargeError):
        await blobs.create("job/1/a", endless())
    assert await all_of(blobs) == set()


async def test_what_is_not_there_is_missing(blobs: Blobs) -> None:
    with pytest.raises(BlobMissing):
        await blobs.read_all("nothing")


async def test_deleting_may_be_repeated(blobs: Blobs) -> None:
    await blobs.create("job/1/a", pieces(b"x"))
    await blobs.create("job/1/b", pieces(b"y"))
    for _ in range(2):
        await blobs.delete(["job/1/a", "nothing"])
    assert await all_of(blobs) == {"job/1/b"}


async def test_only_old_ones_are_found(blobs: Blobs) -> None:
    await blobs.create("uploads/a", pieces(b"x"))
    await blobs.create("b", pieces(b"x"))
    assert await all_of(blobs) == {"uploads/a", "b"}
    assert [keys async for keys in blobs.older_than(timedelta(hours=24))] == []


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in its way")
    with pytest.raises(BlobsUnavailable):
        await Blobs(str(tmp_path / "file")).create("a", pieces(b"x"))


@pytest.mark.parametrize("url", ["nothing-like-it://bucket/x"])
def test_an_unknown_kind_of_store_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(InvalidSettings, match="BLOB_URL"):
        Blobs(url)


async def test_they_are_found_in_the_order_of_their_folders_from_one_on(blobs: Blobs) -> None:
    """Whoever looks through all of them can go on where it was."""
    for folder in "cab":
        await blobs.create(f"{folder}/1/x", pieces(b"x"))
    age = timedelta(seconds=-60)
    assert [keys async for keys in blobs.older_than(age)] == [["a/1/x"], ["b/1/x"], ["c/1/x"]]
    assert [keys async for keys in blobs.older_than(age, after="a")] == [["b/1/x"], ["c/1/x"]]


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


async def test_a_folder_that_has_become_empty_goes_too(tmp_path: Path) -> None:
    """Each job has two of its own: there would be more and more of them."""
    blobs = Blobs(str(tmp_path / "blobs"))
    for key in ("job/1/a", "job/2/b"):
        await blobs.create(key, pieces(b"x"))
    await blobs.delete(["job/1/a"])
    assert below(tmp_path) == ["blobs", "blobs/job", "blobs/job/2", "blobs/job/2/b"]
    await blobs.delete(["job/2/b"])
    assert below(tmp_path) == ["blobs"]


async def test_where_there_is_no_place_the_store_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not missing: what is to be written cannot be. A folder may go as empty just when it is to be used."""
    blobs = Blobs(str(tmp_path / "blobs"))
    monkeypatch.setattr(blobs._files, "makedirs", lambda *_, **__: None)
    with pytest.raises(BlobsUnavailable):
        await blobs.create("job/1/a", pieces(b"x"))


# --- a store that hangs, as a disk over the network may


class Hanging:
    """Calls that return only when the test has ended."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def __call__(self, *_: object) -> None:
        self._over.wait()

    def end(self) -> None:
        self._over.set()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    monkeypatch.setattr(module, "CALL_TIMEOUT", 0.05)
    monkeypatch.setattr(module, "GIVE_UP_TIMEOUT", 0.05)
    hanging = Hanging()
    yield hanging
    hanging.end()


def hanging_file(hanging: Hanging) -> SimpleNamespace:
    """Its writes hang, and then whatever else is done with it."""
    return SimpleNamespace(write=hanging, close=hanging)


async def test_who_writes_to_a_store_that_hangs_is_told_so(
    tmp_path: Path, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(str(tmp_path / "blobs"))
    monkeypatch.setattr(blobs, "_open_new", lambda _: hanging_file(hanging))
    async with asyncio.timeout(10):
        with pytest.raises(BlobsUnavailable, match="has not answered for 0 s"):
            await blobs.create("a", pieces(b"x"))


async def test_who_gives_up_a_write_that_hangs_is_not_kept(
    tmp_path: Path, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that drains, or a client that leaves."""
    monkeypatch.setattr(module, "CALL_TIMEOUT", 3600.0)
    blobs, opened = Blobs(str(tmp_path / "blobs")), asyncio.Event()

    async def content() -> AsyncIterator[bytes]:
        opened.set()
        yield b"x"

    monkeypatch.setattr(blobs, "_open_new", lambda _: hanging_file(hanging))
    writing = asyncio.create_task(blobs.create("a", content()))
    await opened.wait()
    writing.cancel()
    await asyncio.wait({writing}, timeout=10)
    assert writing.cancelled()


async def test_who_reads_from_a_store_that_hangs_is_told_so(
    tmp_path: Path, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs(str(tmp_path / "blobs"))
    monkeypatch.setattr(blobs._files, "open", hanging)
    async with asyncio.timeout(10):
        with pytest.raises(BlobsUnavailable, match="has not answered"):
            await blobs.read_all("a")


async def test_a_store_that_hangs_takes_no_thread_from_others(
    tmp_path: Path, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the one that watches a model's memory."""
    blobs = Blobs(str(tmp_path / "blobs"))
    monkeypatch.setattr(module, "_THREADS", DaemonThreads(40, "blobs"))
    monkeypatch.setattr(blobs._files, "open", hanging)
    tried = await asyncio.gather(*(blobs.read_all("a") for _ in range(40)), return_exceptions=True)
    assert {type(error) for error in tried} == {BlobsUnavailable}
    async with asyncio.timeout(10):
        assert await asyncio.to_thread(lambda: 1) == 1


ENDS = """
import asyncio, sys
from shared import blobs
blobs.CALL_TIMEOUT = 0.1
try:
    asyncio.run(blobs.Blobs(sys.argv[1]).read_all("nobody-writes-to-it"))
except blobs.BlobsUnavailable as error:
    print(error)
"""


def test_a_process_ends_although_its_store_hangs(tmp_path: Path) -> None:
    """Python waits for ordinary threads, whatever they do."""
    os.mkfifo(tmp_path / "nobody-writes-to-it")  # to open it waits for who does
    command = [sys.executable, "-c", ENDS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "has not answered" in done.stdout


async def test_what_is_lost_while_it_is_written_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a bucket says it that was deleted: nobody who stores something looks for what is missing."""
    blobs = Blobs(str(tmp_path / "blobs"))

    def gone(_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(module, "_commit", gone)
    with pytest.raises(BlobsUnavailable):
        await blobs.create("a", pieces(b"x"))
