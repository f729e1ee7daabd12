"""The blob store, over a folder and over fsspec's memory: what holds for both holds for a bucket."""

from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from shared import blobs as module
from shared.blobs import Blobs
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
