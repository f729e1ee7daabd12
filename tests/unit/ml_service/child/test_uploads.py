"""Reading uploads: patiently, no more than allowed, and only those of the job; then in a real child process."""

import json
import threading
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fsspec.implementations.local import LocalFileSystem

from ml_service.child import batch as batch_module
from ml_service.child import uploads as uploads_module
from ml_service.child.batch import BatchRunner
from ml_service.child.messages import BatchItem, Failed, Outcome, Outcomes, RunBatch, Succeeded, ToParent
from ml_service.child.torch_runtime import TorchRuntime
from ml_service.child.uploads import JobUploads, UploadStore
from shared.blobs import Blobs
from shared.errors import BlobsUnavailable, InvalidInput, RetryableError
from shared.states import ErrorCode
from shared.uploads import Readable, blob_key
from tests.unit.ml_service.child.conftest import Spawn, animal, start
from tests.zoo.reader import Reader


async def stored(folder: Path, content: bytes) -> Readable:
    """An upload with this content."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    upload = uuid4()
    written = await Blobs(str(folder / "blobs")).create(blob_key(upload), chunks())
    return Readable(upload, written.size, written.sha256)


def unstored(content: bytes = b"content") -> Readable:
    return Readable(uuid4(), len(content), sha256(content).hexdigest())


def reading(store: UploadStore, *uploads: Readable, until: float = 0) -> JobUploads:
    return JobUploads(store, {one.id: one for one in uploads}, until)


class Flaky(UploadStore):
    """Does not answer `failures` times; its clock goes on only while somebody sleeps."""

    def __init__(self, failures: int) -> None:
        super().__init__("memory://", 10, lambda: self.now, self.pass_time)
        self.failures = failures
        self.now = 0.0

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def load(self, upload: UUID, most: int, within: float) -> bytes:
        self.failures -= 1
        if self.failures >= 0:
            raise BlobsUnavailable("OSError: the network is down")
        return b"content"


def test_a_store_that_comes_back_was_only_late() -> None:
    upload, store = unstored(), Flaky(failures=5)
    assert reading(store, upload, until=60).read(upload.id) == b"content"
    assert store.now > 0


def test_a_store_that_stays_away_makes_the_job_try_again() -> None:
    upload, store = unstored(), Flaky(failures=10**6)
    with pytest.raises(RetryableError, match="does not answer"):
        reading(store, upload, until=60).read(upload.id)
    assert 50 < store.now <= 60
    tried = store.failures
    with pytest.raises(RetryableError):  # the time is over: the next file is asked for once
        reading(store, upload, until=store.now).read(upload.id)
    assert store.failures == tried - 1


async def test_a_store_that_hangs_makes_the_job_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would wait until its time limit, which is final."""
    upload, let_go = await stored(tmp_path, b"content"), threading.Event()

    def hang(*_: object) -> bytes:
        let_go.wait()
        return b""

    monkeypatch.setattr(LocalFileSystem, "open", hang)
    monkeypatch.setattr(uploads_module, "ONE_TRY", 0.01)
    try:
        with pytest.raises(RetryableError, match="does not answer"):
            reading(UploadStore(str(tmp_path / "blobs"), 10), upload).read(upload.id)
    finally:
        let_go.set()


async def test_an_upload_that_is_not_the_jobs_or_too_large_or_gone_is_an_invalid_input(tmp_path: Path) -> None:
    small, large, gone = await stored(tmp_path, b"x" * 10), await stored(tmp_path, b"x" * 11), unstored()
    uploads = reading(UploadStore(str(tmp_path / "blobs"), 10), small, large, gone)
    assert len(uploads.read(small.id)) == 10
    for upload, said in ((large.id, "10 bytes"), (uuid4(), "does not refer"), (gone.id, "not there any more")):
        with pytest.raises(InvalidInput, match=said):
            uploads.read(upload)


@pytest.mark.parametrize("found", [b"", b"0123", b"01234x6789", b"0123456789x"])
async def test_a_file_that_is_not_what_was_sent_makes_the_job_try_again(tmp_path: Path, found: bytes) -> None:
    upload = await stored(tmp_path, b"0123456789")
    uploads = reading(UploadStore(str(tmp_path / "blobs"), 100), upload)
    (tmp_path / "blobs" / blob_key(upload.id)).write_bytes(found)
    with pytest.raises(RetryableError, match="as it was sent"):
        uploads.read(upload.id)


def served(folder: Path, *items: tuple[Any, list[Readable]]) -> dict[int, Outcome]:
    said: list[ToParent] = []
    runner = BatchRunner(Reader(), TorchRuntime(), said.append, UploadStore(str(folder / "blobs"), 1000))
    given = [BatchItem(json.dumps(value).encode(), tuple(uploads)) for value, uploads in items]
    runner.run(RunBatch(1, given), frozenset())
    return {index: one for message in said if isinstance(message, Outcomes) for index, one in message.outcomes.items()}


def ok(*sizes: int, batch: int) -> Succeeded:
    return Succeeded(json.dumps({"sizes": sizes, "batch": batch}, separators=(",", ":")).encode())


async def test_whole_inputs_are_read_before_they_are_checked(tmp_path: Path) -> None:
    file = await stored(tmp_path, b"12345")
    whole = await stored(tmp_path, json.dumps({"files": [{"upload": str(file.id)}]}).encode())
    bad, no_json = await stored(tmp_path, b'{"files": 1}'), await stored(tmp_path, b"\x89PNG")
    named = [({"upload": str(one.id)}, [one, file]) for one in (whole, bad, no_json, unstored())]
    outcomes = served(tmp_path, *named, ({}, []))
    assert (outcomes[0], outcomes[4]) == (ok(5, batch=2), ok(batch=2))
    for index in (1, 2, 3):
        outcome = outcomes[index]
        assert isinstance(outcome, Failed)
        assert outcome.code is ErrorCode.INVALID_INPUT


async def test_a_whole_input_of_another_job_is_not_read(tmp_path: Path) -> None:
    others = await stored(tmp_path, b"{}")
    (outcome,) = served(tmp_path, ({"upload": str(others.id)}, [])).values()
    assert isinstance(outcome, Failed)
    assert "does not refer" in outcome.message


async def test_large_documents_are_not_all_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "DOCUMENT_BYTES", 100)
    large = await stored(tmp_path, b"{}" + b" " * 60)
    outcomes = served(tmp_path, *[({"upload": str(large.id)}, [large])] * 5, ({}, []))
    assert [outcomes[index] for index in range(6)] == [ok(batch=2)] * 6


async def test_a_real_process_reads_files_in_any_thread(spawn: Spawn, tmp_path: Path) -> None:
    file, gone = await stored(tmp_path, b"12345"), unstored()
    child = await spawn(animal("reader", "Reader"))
    await child.ready()
    files = [{"data": "data:text/plain;base64,YWJj"}, {"upload": str(file.id)}]
    values = [{"files": files}, {"files": files, "in_a_thread": True}, {"files": [{"upload": str(gone.id)}]}]
    items = [BatchItem(json.dumps(value).encode(), (file, gone)) for value in values]
    outcomes = await child.run(items, lambda _: None)
    # The one that fails takes its neighbours' call along, and they are called again without it.
    assert {
        index: json.loads(one.result)["sizes"] for index, one in outcomes.items() if isinstance(one, Succeeded)
    } == {
        0: [3, 5],
        1: [3, 5],
    }
    assert isinstance(outcomes[2], Failed)
    assert (outcomes[2].code, outcomes[2].retryable) == (ErrorCode.INVALID_INPUT, False)


async def test_a_model_that_changes_its_folder_still_has_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = await stored(Path(), b"12345")
    child = await start(animal("mover", "Mover"), Path())
    try:
        item = BatchItem(json.dumps({"files": [{"upload": str(file.id)}]}).encode(), (file,))
        assert await child.run([item], lambda _: None) == {0: ok(5, batch=1)}
    finally:
        await child.kill()
