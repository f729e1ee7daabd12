import random
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from ml_service.models.digits.image import MAX_PIXELS, blocks_of
from shared.errors import InvalidInput
from tests.unit.ml_service.models.digits.drawing import drawn, encoded, printed


def five(canvas: int = 140, **colours: int) -> Image.Image:
    return printed(5, canvas, canvas // 2, **colours)


def png_of_size(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that claims to be of that size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("pen", [0.02, 0.05, 0.15])
@pytest.mark.parametrize("digit", range(10))
def test_a_digit_has_height_and_ink_of_the_data_set_whatever_the_pen(digit: int, pen: float) -> None:
    blocks = blocks_of(encoded(drawn(digit, 280, pen, random.Random(digit))))
    assert blocks.max() <= 16
    assert blocks[0].any()
    assert blocks[7].any()
    assert blocks.mean() / 16 == pytest.approx(load_digits().images.mean() / 16, abs=0.05)


def test_ink_may_be_dark_or_light() -> None:
    dark, light = five(ink=0, paper=255), five(ink=255, paper=0)
    np.testing.assert_array_equal(blocks_of(encoded(dark)), blocks_of(encoded(light)))


def test_neither_place_nor_size_of_the_digit_matters() -> None:
    plain = blocks_of(encoded(printed(5, 140, 100)))
    moved = Image.new("L", (900, 400), 255)
    moved.paste(printed(5, 280, 200), (600, 90))
    assert np.abs(blocks_of(encoded(moved)) - plain).mean() < 1


def test_faint_ink_on_grey_paper_is_ink() -> None:
    plain, faint = five(), five(ink=130, paper=180)
    assert np.abs(blocks_of(encoded(faint)) - blocks_of(encoded(plain))).mean() < 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_the_usual_formats_are_read(kind: str) -> None:
    assert np.abs(blocks_of(encoded(five(), kind)) - blocks_of(encoded(five()))).mean() < 1


@pytest.mark.parametrize("ink", [0, 255])
def test_a_transparent_canvas_is_paper_under_any_ink(ink: int) -> None:
    """What a page's canvas gives that was never filled."""
    clear = Image.new("RGBA", (140, 140), (ink, ink, ink, 0))
    clear.putalpha(five(ink=255, paper=0))
    np.testing.assert_allclose(blocks_of(encoded(clear)), blocks_of(encoded(five(ink=0))), atol=4)


def test_sixteen_bits_a_pixel_are_scaled_not_clipped() -> None:
    deep = Image.fromarray(np.asarray(five()).astype(np.uint16) * 257)
    np.testing.assert_array_equal(blocks_of(encoded(deep)), blocks_of(encoded(five())))


def test_a_photograph_turned_by_its_exif_is_turned_back() -> None:
    turned = five().rotate(90, expand=True)
    exif = turned.getexif()
    exif[0x0112] = 6  # "turn a quarter clockwise to see it upright"
    plain = encoded(turned)
    turned.save(buffer := BytesIO(), "PNG", exif=exif)
    np.testing.assert_array_equal(blocks_of(buffer.getvalue()), blocks_of(encoded(five())))
    assert not np.array_equal(blocks_of(plain), blocks_of(encoded(five())))


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1)])
@pytest.mark.parametrize("colour", ["white", "black", "#808080"])
def test_a_blank_picture_is_an_invalid_input(size: tuple[int, int], colour: str) -> None:
    with pytest.raises(InvalidInput, match="nothing is drawn"):
        blocks_of(encoded(Image.new("RGB", size, colour)))


def test_an_empty_canvas_is_blank() -> None:
    with pytest.raises(InvalidInput, match="nothing is drawn"):
        blocks_of(encoded(Image.new("RGBA", (50, 50))))


def test_a_single_dot_and_a_hair_line_do_not_break_it() -> None:
    for box in [(50, 50, 51, 51), (0, 50, 100, 51), (50, 0, 51, 100)]:
        picture = Image.new("L", (100, 100), 255)
        picture.paste(0, box)
        assert blocks_of(encoded(picture)).any()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a picture", encoded(five())[:200], b"\x89PNG\r\n\x1a\n" + bytes(100), encoded(five(), "TIFF")],
    ids=["empty", "text", "cut off", "damaged", "format not allowed"],
)
def test_what_is_no_readable_picture_is_an_invalid_input(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="not a readable PNG, JPEG, WEBP, BMP or GIF"):
        blocks_of(content)


@pytest.mark.parametrize("side", [4_001, 10_000, 100_000], ids=["ours", "pillow warns", "pillow refuses"])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(side: int) -> None:
    assert side**2 > MAX_PIXELS
    with pytest.raises(InvalidInput, match="too large"):
        blocks_of(png_of_size(side, side))
