"""A file inside an input. Every model that takes files has fields of this type, and only ever calls `read` on them:
where the bytes come from is decided here.
"""

import base64

from pydantic import Field

from ml_service.model import Payload
from shared.errors import InvalidInput


class File(Payload):
    """A small file, carried in the input itself as a data URL."""

    data: str = Field(
        # The schema looks at the head only: a pattern over a megabyte of base64 is slow, and `read` decodes strictly.
        pattern=r"^data:[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+(;[^;,]*)*;base64,",
        title="Data",
        description="The content as a data URL: data:image/png;base64,…",
        json_schema_extra={"format": "data-url"},  # what form builders know as a file chooser
    )

    def read(self) -> bytes:
        """The content. Raises InvalidInput if it is not base64."""
        _, _, encoded = self.data.partition(";base64,")
        try:
            return base64.b64decode(encoded, validate=True)
        except ValueError as error:  # binascii.Error is one, and so is what a letter outside ASCII raises
            raise InvalidInput(f"file: the data URL is not valid base64 ({error})") from error
