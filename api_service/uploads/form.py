"""A form with one file in it (multipart/form-data, RFC 7578), read as it comes: what is not the file is never kept."""

from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api_service.errors import BodyTooLarge, MalformedForm

# What a form may have around its file: the boundaries, and a few headers.
OVERHEAD = 16 * 1024  # bytes
MAX_HEADERS, MAX_HEADER = 8, 4 * 1024  # of a part; bytes of one
LONGEST_BOUNDARY = 70  # characters (RFC 2046, section 5.1.1)

_AS_IT_IS = {b"", b"7bit", b"8bit", b"binary"}


def boundary_of(content_type: str | None) -> bytes | None:
    """None: it is no form. Raises MalformedForm."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        return None
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= LONGEST_BOUNDARY:
        raise MalformedForm("The Content-Type names no boundary that could be one.")
    return boundary


async def file_in(chunks: AsyncIterator[bytes], boundary: bytes, limit: int, too_large: str) -> AsyncIterator[bytes]:
    """The content of the form's one file, at most `limit` bytes. Raises MalformedForm, BodyTooLarge."""
    form, size = _Form(boundary), 0
    async for chunk in chunks:
        for content in form.feed(chunk):
            size += len(content)
            if size > limit:
                raise BodyTooLarge(too_large)
            yield content
    form.close()


class _Form:
    def __init__(self, boundary: bytes) -> None:
        self._content: list[bytes] = []
        self._parts = 0
        self._ended = False
        self._header, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_to_header,
                "on_header_value": self._add_to_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._add_content,
                "on_end": self._end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER,
        )

    def feed(self, chunk: bytes) -> list[bytes]:
        """-> what of the file is in it."""
        self._content = []
        if not self._ended:  # what follows the last boundary means nothing
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise MalformedForm(f"The form cannot be read: {str(error)[:200]}.") from None
        return self._content

    def close(self) -> None:
        if not self._ended:
            raise MalformedForm("The form is cut off: its last boundary is missing.")
        if not self._parts:
            raise MalformedForm("The form is empty: it must have one file.")

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > 1:
            raise MalformedForm("The form has several parts: send one file, and nothing beside it.")

    def _add_to_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"filename" not in options:
            raise MalformedForm("The form's part is a field, and no file: it has no filename.")
        if self._headers.get(b"content-transfer-encoding", b"").strip().lower() not in _AS_IT_IS:
            raise MalformedForm("The file is encoded: send it as it is.")

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def _end(self) -> None:
        self._ended = True
