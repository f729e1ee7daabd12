"""Which uploads an input needs, and what is said of those that there are not."""

import json
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from api_service.schema_check import SchemaCheck
from api_service.uploads.documents import MEMORY, Documents
from api_service.uploads.inputs import Allowance, CheckedInput, Inputs
from shared.blobs import Blobs
from shared.states import Task
from shared.uploads import MAX_REFERENCES, Upload, blob_key

FILE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"data": {"type": "string"}, "upload": {"type": "string", "format": "upload-id"}},
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"image": FILE, "many": {"type": "array", "items": FILE}, "text": {"type": "string"}},
}


class Stage:
    def __init__(self, folder: Path, here: int = 1000, memory: int = MEMORY) -> None:
        schemas = SchemaCheck()
        self.blobs = Blobs(str(folder))
        self.uploads: dict[UUID, Upload] = {}
        self.inputs = Inputs(schemas, Documents(self.blobs, str(folder), schemas, here, memory), self._find)
        self.asked = 0

    async def upload(self, content: bytes = b"", owner: str = "ada") -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        upload_id = uuid7()
        written = await self.blobs.create(blob_key(upload_id), chunks())
        one = Upload(upload_id, owner, blob_key(upload_id), written.size, "text/plain", written.sha256)
        self.uploads[upload_id] = one
        return str(upload_id)

    async def check(self, document: Any, schema: Any = SCHEMA, left: int = 10**9) -> CheckedInput:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return await self.inputs.check("ada", ("m", 1, Task.INFERENCE), schema, content, Allowance(left))

    async def faults(self, document: Any, **options: Any) -> list[str]:
        return [fault.path for fault in (await self.check(document, **options)).faults]

    async def _find(self, owner: str, ids: Collection[UUID]) -> dict[UUID, Upload]:
        self.asked += 1
        return {one: self.uploads[one] for one in ids if one in self.uploads and self.uploads[one].owner == owner}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_an_input_without_files_asks_for_nothing(stage: Stage) -> None:
    assert await stage.check({"text": "x"}) == CheckedInput([])
    assert stage.asked == 0


async def test_the_uploads_of_an_input_are_found_wherever_the_schema_has_them(stage: Stage) -> None:
    one, two = await stage.upload(), await stage.upload()
    document = {"image": {"upload": one}, "many": [{"data": "x"}, {"upload": two}, {"upload": one}]}
    assert await stage.check(document) == CheckedInput([], (UUID(one), UUID(two)))
    assert stage.asked == 1


async def test_a_text_that_only_looks_like_one_is_a_text(stage: Stage) -> None:
    one = await stage.upload()
    anything: dict[str, Any] = {"properties": {"value": {}}}
    assert await stage.check({"value": {"upload": one}, "more": 1}, schema=anything) == CheckedInput([])


async def test_those_there_are_not_are_named_by_their_places(stage: Stage) -> None:
    mine, others = await stage.upload(), await stage.upload(owner="bob")
    many = [{"upload": mine}, {"upload": others}, {"upload": str(uuid7())}, {"upload": "../x"}, {"upload": ""}]
    faults = (await stage.check({"many": many})).faults
    assert [fault.path for fault in faults] == [f"/input/many/{place}/upload" for place in (1, 2, 3, 4)]
    assert len({fault.message for fault in faults}) == 1, "whose it is, or whether there is one, must not show"


async def test_an_input_may_refer_to_so_many(stage: Stage) -> None:
    many = [{"upload": str(uuid7())} for _ in range(MAX_REFERENCES + 1)]
    assert await stage.faults({"many": many}) == ["/input"]
    assert stage.asked == 0


async def test_a_whole_input_is_checked_as_any(stage: Stage) -> None:
    image = await stage.upload()
    whole = await stage.upload(json.dumps({"image": {"upload": image}}).encode())
    assert await stage.check({"upload": whole}) == CheckedInput([], (UUID(whole), UUID(image)))
    bad = await stage.upload(b'{"text": 1, "many": [1]}')
    assert set(await stage.faults({"upload": bad})) == {"/input/text", "/input/many/0"}
    dangling = await stage.upload(json.dumps({"image": {"upload": str(uuid7())}}).encode())
    assert await stage.faults({"upload": dangling}) == ["/input/image/upload"]


@pytest.mark.parametrize("content", [b"", b"\x89PNG", b"{", b"\xff", b"\xef\xbb\xbf{}", b"[" * 100_000, b"NaN"])
@pytest.mark.parametrize("here", [10, 10**9], ids=["elsewhere", "here"])
async def test_a_whole_input_that_is_no_json_is_said(tmp_path: Path, content: bytes, here: int) -> None:
    stage = Stage(tmp_path, here)
    assert await stage.faults({"upload": await stage.upload(content)}) == ["/input/upload"]


@pytest.mark.parametrize("named", ["", "x", "0199f3a2-7c1b-7d40-9b6e-2f1d8f0a4c55"])
async def test_a_whole_input_that_there_is_not_is_said(stage: Stage, named: str) -> None:
    assert await stage.faults({"upload": named}) == ["/input/upload"]


async def test_a_whole_input_that_has_gone_is_said(stage: Stage) -> None:
    whole = await stage.upload(b"{}")
    await stage.blobs.delete([blob_key(UUID(whole))])
    assert await stage.faults({"upload": whole}) == ["/input/upload"]


async def test_documents_of_one_request_have_a_limit_together(stage: Stage) -> None:
    whole = await stage.upload(b'{"text": "abc"}')
    assert await stage.faults({"upload": whole}, left=15) == []
    assert await stage.faults({"upload": whole}, left=14) == ["/input/upload"]


async def test_a_large_document_is_checked_in_a_process_of_its_own(tmp_path: Path) -> None:
    stage = Stage(tmp_path, here=10)
    image = await stage.upload()
    good = await stage.upload(json.dumps({"image": {"upload": image}, "text": "x" * 1_000_000}).encode())
    assert await stage.check({"upload": good}) == CheckedInput([], (UUID(good), UUID(image)))
    bad = await stage.upload(json.dumps({"text": ["x"] * 1000}).encode())
    assert await stage.faults({"upload": bad}) == ["/input/text"]
    await stage.blobs.delete([blob_key(UUID(good))])
    assert await stage.faults({"upload": good}) == ["/input/upload"]


async def test_a_document_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    """Empty lists take twenty times as much as values: another process ends, and this one lives."""
    stage = Stage(tmp_path, here=10, memory=512 * 1024 * 1024)
    bomb = await stage.upload(b"[" + b"[]," * 8_000_000 + b"[]]")
    assert await stage.faults({"upload": bomb}, schema={}) == ["/input/upload"]
