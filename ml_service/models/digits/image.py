"""From a picture of a digit to the 8x8 blocks that the network reads, the way scikit-learn's digits were made.

That data set holds 32x32 bitmaps of normalized digits: each as tall as the bitmap, and each, a 1 as much as an 8, with ink
on 30 % of it; summed over blocks of 4x4 pixels, which gives 0 to 16.
https://archive.ics.uci.edu/dataset/80
"""

import warnings
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.ndimage import distance_transform_edt

from shared.errors import InvalidInput

Grey = NDArray[np.float32]  # [height, width]
Mask = NDArray[np.bool_]  # [height, width]
Blocks = NDArray[np.float32]  # [8, 8], 0 to 16

# An allow-list: Pillow knows some fifty formats, and the obscure ones are where its holes have been.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MAX_PIXELS = 16_000_000  # a photograph of a telephone; a small file can claim to hold far more

TOO_LARGE = f"image: too large; pictures of up to {MAX_PIXELS:,} pixels are read"

READING_SIZE = 512  # pixels of the longer side, and at most twice that: more costs time and says no more about a digit
WORKING_SIZE = 128  # the same, while strokes are thickened or thinned: four to one of the bitmap
THINNEST = 12  # of those pixels to take off the edges of a stroke at most
THICKEST = 36  # and to put on: a hair line then fills the bitmap's usual share of ink
BITMAP = 32
WIDEST = 26  # columns: the data set's own digits hardly ever fill more, at full height
INK_SHARE = 0.305  # of the bitmap: the data set's mean, and within 0.01 of it for every digit but 8
LEAST_CONTRAST = 24  # of 255: less is paper, not ink


def blocks_of(picture: bytes) -> Blocks:
    """Raises InvalidInput if this is no picture, one too large, or one with nothing on it."""
    bitmap = _bitmap(_ink(_grey(_decoded(picture))))
    # Rows of blocks, rows in a block, columns of blocks, columns in a block.
    blocks: Blocks = bitmap.reshape(8, 4, 8, 4).sum(axis=(1, 3), dtype=np.float32)
    return blocks


def _decoded(picture: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is tighter
            image = Image.open(BytesIO(picture), formats=FORMATS)
        if image.width * image.height <= MAX_PIXELS:
            image.load()
            return ImageOps.exif_transpose(image)
    except Image.DecompressionBombError as error:
        raise InvalidInput(TOO_LARGE) from error
    except Exception as error:  # Pillow's decoders raise almost anything on damaged files
        raise InvalidInput(f"image: not a readable {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file") from error
    raise InvalidInput(TOO_LARGE)


def _grey(image: Image.Image) -> Grey:
    """0 to 255, about READING_SIZE at most. What is transparent becomes paper: white, or black under a light drawing."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip, not scale
        image = Image.fromarray((np.asarray(image) / 257).astype(np.uint8))
    smaller = image.convert("RGBA").reduce(max(1, max(image.size) // READING_SIZE))
    luminance = np.asarray(smaller.convert("LA"), dtype=np.float32)
    light, opacity = luminance[..., 0], luminance[..., 1] / np.float32(255)
    drawn = float((light * opacity).sum() / max(opacity.sum(), 1))
    paper = np.float32(0 if drawn > 127 else 255)
    grey: Grey = light * opacity + paper * (1 - opacity)
    return grey


def _ink(grey: Grey) -> Grey:
    """0 for paper to 1 for ink, cut to the box of the ink: whatever differs from the border, which is taken for paper."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    difference = np.abs(grey - np.float32(np.median(border)))
    strongest = difference.max()
    if strongest < LEAST_CONTRAST:
        raise InvalidInput("image: nothing is drawn on it")
    ink: Grey = difference / strongest
    return ink[_box(ink >= 0.5)]


def _bitmap(ink: Grey) -> Mask:
    """The digit as the data set would have it: 32 rows tall, in the middle, its strokes as thick as gives the usual ink."""
    height, width = ink.shape
    scale = WORKING_SIZE / max(height, width)
    large = _resized(ink, max(1, round(width * scale)), max(1, round(height * scale)))
    # The pad is room to grow into.
    strokes = np.pad(large >= large.max() / 2, THICKEST)
    # Pixels from the stroke's edge: below 0 inside. One map gives the strokes of every thickness.
    away = distance_transform_edt(~strokes) - distance_transform_edt(strokes)
    grown = [mask[_box(mask)] for by in range(-THINNEST, THICKEST) if (mask := away <= by).any()]
    digit = min(grown, key=lambda mask: abs(mask.mean() * _columns(mask) / BITMAP - INK_SHARE))
    bitmap = np.zeros((BITMAP, BITMAP), dtype=np.bool_)
    columns = _columns(digit)
    left = (BITMAP - columns) // 2
    bitmap[:, left : left + columns] = _resized(digit.astype(np.float32), columns, BITMAP) >= 0.5
    return bitmap


def _columns(digit: Mask) -> int:
    """How wide it will be on the bitmap: in proportion, and squeezed only past what the data set knows."""
    height, width = digit.shape
    return min(WIDEST, max(1, round(BITMAP * float(width / height))))


def _resized(values: Grey, width: int, height: int) -> Grey:
    """Averaging where it shrinks, so that thin strokes fade and do not break."""
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def _box(mask: Mask) -> tuple[slice, slice]:
    """Around what is set."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
