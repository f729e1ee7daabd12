"""How an upload looks over HTTP."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from shared.uploads import Upload


class UploadView(msgspec.Struct, frozen=True):
    """A file that was stored. An input says `{"upload": id}` in its place."""

    id: UUID
    size: Annotated[int, Meta(ge=0, description="Bytes.")]
    content_type: Annotated[str, Meta(description="What its content looks like, whatever the client said of it.")]
    sha256: Annotated[str, Meta(description="Of its content, in hexadecimal.", pattern="^[0-9a-f]{64}$")]


def render_upload(upload: Upload) -> bytes:
    return msgspec.json.encode(UploadView(upload.id, upload.size, upload.content_type, upload.sha256))
