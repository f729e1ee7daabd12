"""Files that clients have sent, and how inputs refer to them (decision 0015)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

# The `format` that a model's JSON Schema gives to a text which names an upload.
REFERENCE_FORMAT = "upload-id"
# Of one job: each is a row, and looked up when the job is submitted.
MAX_REFERENCES = 256

_DEEPEST = 20  # alternatives within one another


@dataclass(frozen=True, slots=True)
class Upload:
    """key: of its blob. size: bytes. content_type: as sniffed. sha256: in hexadecimal."""

    id: UUID
    owner: str
    key: str
    size: int
    content_type: str
    sha256: str


class Readable(msgspec.Struct, frozen=True, array_like=True):
    """An upload that a job may read, and what its blob must be. size: bytes. sha256: in hexadecimal."""

    id: UUID
    size: int
    sha256: str


class _Reference(msgspec.Struct, forbid_unknown_fields=True):
    upload: str


_decode = msgspec.json.Decoder(_Reference).decode


def blob_key(upload_id: UUID) -> str:
    return f"uploads/{upload_id}"


def parse_upload_id(text: str) -> UUID | None:
    """None: it cannot be one."""
    try:
        return UUID(text)
    except ValueError:
        return None


def whole_reference(document: bytes, schema: Mapping[str, Any]) -> str | None:
    """What an input of just `{"upload": "…"}` names: the upload with the document that is meant. None: it is no reference.

    A model that has a property of this name at the top means something else by it: its inputs are never taken for one.
    """
    if b'"upload"' not in document or len(document) > 1024:
        return None
    try:
        named = _decode(document).upload
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return None if any("upload" in properties for properties in _at_the_top(schema, schema)) else named


def _at_the_top(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The properties that an input may have, by any of the schema's alternatives."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    if isinstance(properties := schema.get("properties"), Mapping):
        yield properties
    if isinstance(reference := schema.get("$ref"), str):
        yield from _at_the_top(_referred(root, reference), root, depth + 1)
    for keyword in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(keyword) or ():
            yield from _at_the_top(one, root, depth + 1)


def _referred(root: Mapping[str, Any], reference: str) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found
