"""A file inside an input. Every model that takes files has fields of this type, and only ever calls `read` on them:
where the bytes come from is decided here.
"""

import base64
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field, PrivateAttr
from pydantic.json_schema import SkipJsonSchema

from ml_service.choice import OneOf
from shared.errors import InvalidInput
from shared.uploads import REFERENCE_FORMAT

# The schema looks at the head only: a pattern over a megabyte of base64 is slow, and `read` decodes strictly.
DataUrl = Annotated[str, Field(pattern=r"^data:[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+(;[^;,]*)*;base64,")]


class UploadReader(Protocol):
    """The context that an input is validated in: its files read their uploads through it."""

    def read(self, upload: UUID) -> bytes: ...


class File(OneOf):
    """A small file, carried in the input itself as a data URL, or one that was uploaded before."""

    data: DataUrl | SkipJsonSchema[None] = Field(
        default=None,
        title="Data",
        description="The content as a data URL: data:image/png;base64,…",
        json_schema_extra={"format": "data-url"},  # what form builders know as a file chooser
    )
    upload: UUID | SkipJsonSchema[None] = Field(
        default=None,
        title="Upload",
        description="The id of a file that was sent to /v1/uploads.",
        json_schema_extra={"format": REFERENCE_FORMAT},  # where the API looks for references
    )
    _uploads: UploadReader | None = PrivateAttr(default=None)

    def model_post_init(self, context: UploadReader | None, /) -> None:
        self._uploads = context

    def read(self) -> bytes:
        """The content, read anew each time.

        Raises InvalidInput if it is not base64, too large, or not there any more; RetryableError where the store for
        files does not answer.
        """
        if self.upload is not None:
            if self._uploads is None:
                raise InvalidInput("file: uploads can be read only while a job runs")
            return self._uploads.read(self.upload)
        _, _, encoded = (self.data or "").partition(";base64,")
        try:
            return base64.b64decode(encoded, validate=True)
        except ValueError as error:  # binascii.Error is one, and so is what a letter outside ASCII raises
            raise InvalidInput(f"file: the data URL is not valid base64 ({error})") from error
