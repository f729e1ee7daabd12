import io
import json
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from api_service.uploads.sniffing import HEAD, Head, sniff


def picture(kind: str) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(written, kind)
    return written.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        *((picture(name), f"image/{name.lower()}") for name in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")),
        (b"PK\x03\x04" + bytes(26), "application/zip"),
        (b"\x1f\x8b\x08" + bytes(7), "application/gzip"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "audio/wav"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4"),
        (b"", "application/octet-stream"),
        (bytes(range(256)), "application/octet-stream"),
        ("é".encode("latin-1") + b" is no UTF-8", "application/octet-stream"),
        (b"hello\n", "text/plain"),
        ("naïve \N{SNOWMAN}".encode(), "text/plain"),
        (b"BM is how this text begins", "text/plain"),
        (b'{"a": 1}', "application/json"),
        (b" [1, 2]\n", "application/json"),
        (b"7", "application/json"),
        (b"{a: 1}", "text/plain"),
        (b'{"a": 1', "text/plain"),
        (b"[section]\nkey = 1\n", "text/plain"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "text/plain"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "text/plain"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_file_is_what_it_looks_like(content: bytes, kind: str) -> None:
    assert sniff(content, whole=True) == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (json.dumps({"texts": ["x" * 100] * 1000}).encode(), "application/json"),
        (json.dumps([1.5] * 10_000).encode(), "application/json"),
        (b"[1] A footnote.\n" * 1000, "text/plain"),
        ("é".encode() * HEAD, "text/plain"),
        (b"x" + "é".encode() * HEAD, "text/plain"),  # cut in the middle of a character
    ],
)
async def test_of_a_long_file_the_head_tells(content: bytes, kind: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 3000):
            yield content[at : at + 3000]

    head = Head()
    assert b"".join([chunk async for chunk in head.noting(chunks())]) == content
    assert head.content_type(len(content)) == kind
