"""Forms, cut into pieces of every size."""

from collections.abc import AsyncIterator

import pytest

from api_service.errors import BodyTooLarge, MalformedForm
from api_service.uploads.form import boundary_of, file_in

FILE = b'Content-Disposition: form-data; name="file"; filename="x"'


def part(content: bytes, *headers: bytes) -> bytes:
    return b"--b\r\n" + b"".join(header + b"\r\n" for header in headers or (FILE,)) + b"\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


async def read(body: bytes, size: int = 7, limit: int = 10_000) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    return b"".join([piece async for piece in file_in(chunks(), b"b", limit, "too large")])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 100_000])
@pytest.mark.parametrize("content", [b"", b"hello", b"\r\n--bc\r\n--b\r--b-\r\n", bytes(range(256)) * 20])
async def test_the_file_is_what_stands_between_the_boundaries(content: bytes, size: int) -> None:
    assert await read(form(part(content)), size) == content


async def test_its_name_and_type_may_be_anything() -> None:
    named = b"content-disposition: form-data; name=anything; filename="
    assert await read(form(part(b"x", named + b'""')))
    assert await read(form(part(b"x", named + b"\xe2\x82\xac", b"Content-Type: text/html"))) == b"x"


@pytest.mark.parametrize("before", [b"", b"\r\n"])
async def test_what_follows_the_last_boundary_means_nothing(before: bytes) -> None:
    assert await read(before + form(part(b"x")) + b"and\r\n--b\r\nmore" * 1000) == b"x"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "cut off"),
        (b"nonsense", "cannot be read"),
        (part(b"x"), "cut off"),
        (b"--other\r\n" + FILE + b"\r\n\r\nx\r\n--other--\r\n", "cannot be read"),
        (form(), "cannot be read|empty"),
        (form(part(b"x"), part(b"y")), "several parts"),
        (form(part(b"1", b'Content-Disposition: form-data; name="a"')), "no filename"),
        (form(part(b"1", b"X: y")), "no filename"),
        (form(*[part(b"1")] * 10_000), "several parts"),
        (form(part(b"eA==", FILE, b"Content-Transfer-Encoding: base64")), "encoded"),
        (b"--b\r\n" + b"X: y\r\n" * 100_000, "cannot be read"),
        (b"--b\r\nX: " + b"y" * 1_000_000, "cannot be read"),
        (b"--b\r\n" + b"X" * 1_000_000, "cannot be read"),
        (b"--b\r\n\0\xff: 1\r\n\r\n", "cannot be read"),
    ],
)
async def test_a_form_without_one_whole_file_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(MalformedForm, match=said):
        await read(body, size=1000)


async def test_the_limit_is_the_files() -> None:
    assert await read(form(part(b"x" * 100)), limit=100)
    with pytest.raises(BodyTooLarge):
        await read(form(part(b"x" * 101)), limit=100)


def test_only_a_form_has_a_boundary() -> None:
    assert boundary_of("multipart/form-data; boundary=abc") == b"abc"
    assert boundary_of('Multipart/Form-Data; charset=utf-8; boundary="a b"') == b"a b"
    for other in (None, "", "image/png", "multipart/mixed; boundary=abc", "application/x-www-form-urlencoded"):
        assert boundary_of(other) is None


@pytest.mark.parametrize("boundary", ["", "; boundary=", f"; boundary={'x' * 71}"])
def test_a_form_without_a_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(MalformedForm):
        boundary_of(f"multipart/form-data{boundary}")
