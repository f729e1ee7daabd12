"""Whether an input fits its model, together with the uploads that it refers to, or is (decision 0015)."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from api_service.schema_check import Checked, Key, SchemaCheck
from api_service.uploads.documents import Documents
from shared.catalogue import JsonSchema
from shared.errors import Fault
from shared.uploads import MAX_REFERENCES, Upload, parse_upload_id, whole_reference

Find = Callable[[str, Collection[UUID]], Awaitable[Mapping[UUID, Upload]]]

_UNKNOWN = "There is no such upload, or it is not yours."


@dataclass(slots=True)
class Allowance:
    """Bytes of documents that what is submitted in one request may still have together."""

    left: int


@dataclass(frozen=True, slots=True)
class CheckedInput:
    """Paths are those in a submission. uploads: all that the input needs to be there."""

    faults: list[Fault]
    uploads: tuple[UUID, ...] = ()


class Inputs:
    """find: those of these uploads that are the owner's."""

    def __init__(self, schemas: SchemaCheck, documents: Documents, find: Find) -> None:
        self._schemas = schemas
        self._documents = documents
        self._find = find

    async def check(
        self, owner: str, key: Key, schema: JsonSchema, document: bytes, allowance: Allowance
    ) -> CheckedInput:
        """Raises MalformedBody, InvalidModel, BlobsUnavailable, DatabaseUnavailable."""
        named = whole_reference(document, schema)
        if named is None:
            return await self._with_references(owner, self._schemas.check(key, schema, document))
        whole = await self._one(owner, named)
        if whole is None:
            return CheckedInput([Fault("/input/upload", _UNKNOWN)])
        allowance.left -= whole.size
        if allowance.left < 0:
            return CheckedInput([Fault("/input/upload", "The documents of this request are too large together.")])
        checked = await self._with_references(owner, await self._documents.check(key, schema, whole))
        return CheckedInput(checked.faults, (whole.id, *(one for one in checked.uploads if one != whole.id)))

    async def _one(self, owner: str, named: str) -> Upload | None:
        upload_id = parse_upload_id(named)
        return None if upload_id is None else (await self._find(owner, [upload_id])).get(upload_id)

    async def _with_references(self, owner: str, checked: Checked) -> CheckedInput:
        faults = [Fault(f"/input{fault.path}", fault.message) for fault in checked.faults]
        if faults or not checked.references:
            return CheckedInput(faults)
        named = {place: parse_upload_id(text) for place, text in checked.references.items()}
        wanted = {one for one in named.values() if one is not None}
        if len(wanted) > MAX_REFERENCES:
            return CheckedInput([Fault("/input", f"An input may refer to {MAX_REFERENCES} uploads.")])
        there_are = await self._find(owner, wanted)
        faults = [Fault(f"/input{place}", _UNKNOWN) for place, one in named.items() if one not in there_are]
        return CheckedInput(faults, tuple(sorted(wanted)))
