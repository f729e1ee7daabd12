"""Digits to read: printed with Pillow's own font, and drawn with a few strokes of a pen as a person might."""

import base64
import math
import random
from collections.abc import Iterator
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from ml_service.file import File

Point = tuple[float, float]
Stroke = list[Point]

OVERSAMPLING = 3


def printed(digit: int, canvas: int, size: int, *, ink: int = 0, paper: int = 255) -> Image.Image:
    """canvas, size: pixels of the picture's side and of the font."""
    image = Image.new("L", (canvas, canvas), paper)
    ImageDraw.Draw(image).text(
        (canvas / 2, canvas / 2), str(digit), fill=ink, font=ImageFont.load_default(size=size), anchor="mm"
    )
    return image


def drawn(digit: int, canvas: int, pen: float, hand: random.Random, *, ink: int = 0, paper: int = 255) -> Image.Image:
    """pen: its width, as a share of the picture's side. hand: turns, slants, stretches and trembles."""
    side = canvas * OVERSAMPLING
    image = Image.new("L", (side, side), paper)
    draw = ImageDraw.Draw(image)
    turn, slant = hand.uniform(-0.12, 0.12), hand.uniform(-0.15, 0.15)
    wide, tall = hand.uniform(0.55, 0.85), hand.uniform(0.6, 0.8)
    left, top = hand.uniform(0.44, 0.56), hand.uniform(0.44, 0.56)
    width = max(OVERSAMPLING, round(pen * side))
    for stroke in hand.choice(SHAPES[digit]):
        points = []
        for x, y in stroke:
            across, down = (x - 0.5) * wide + (y - 0.5) * slant, (y - 0.5) * tall
            points.append((
                side * (left + across * math.cos(turn) - down * math.sin(turn) + hand.gauss(0, 0.005)),
                side * (top + across * math.sin(turn) + down * math.cos(turn) + hand.gauss(0, 0.005)),
            ))  # fmt: skip
        draw.line(points, fill=ink, width=width, joint="curve")
        for x, y in points:
            draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=ink)
    return image.resize((canvas, canvas), Image.Resampling.BOX)


def all_printed() -> Iterator[tuple[int, Image.Image]]:
    for canvas in (28, 64, 140, 280, 400):
        for share in (0.5, 0.9):
            for ink in (0, 255):
                for digit in range(10):
                    yield digit, printed(digit, canvas, int(canvas * share), ink=ink, paper=255 - ink)


def all_drawn() -> Iterator[tuple[int, Image.Image]]:
    hand = random.Random(20)
    for canvas in (28, 64, 140, 280, 400):
        for pen in (0.03, 0.06, 0.1):
            for ink in (0, 255):
                for digit in range(10):
                    yield digit, drawn(digit, canvas, pen, hand, ink=ink, paper=255 - ink)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def file(content: bytes, media_type: str = "image/png") -> File:
    return File(data=f"data:{media_type};base64,{base64.b64encode(content).decode()}")


def _arc(x: float, y: float, width: float, height: float, start: float, end: float) -> Stroke:
    """Around (x, y), in degrees, clockwise from the right."""
    angles = [math.radians(start + (end - start) * step / 24) for step in range(25)]
    return [(x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


# For each digit, the ways in which people write it, in a square of side 1.
SHAPES: dict[int, list[list[Stroke]]] = {
    0: [[_arc(0.5, 0.5, 0.28, 0.42, -90, 270)], [_arc(0.5, 0.5, 0.35, 0.4, -60, 320)]],
    1: [[[(0.5, 0.08), (0.5, 0.92)]], [[(0.35, 0.25), (0.52, 0.08), (0.52, 0.92)]], [[(0.6, 0.08), (0.42, 0.92)]]],
    2: [[[*_arc(0.5, 0.3, 0.25, 0.22, -170, 40), (0.25, 0.9), (0.8, 0.9)]]],
    3: [
        [_arc(0.45, 0.29, 0.24, 0.2, -150, 90) + _arc(0.45, 0.7, 0.28, 0.22, -90, 150)],
        [[(0.25, 0.1), (0.75, 0.1), (0.45, 0.42), *_arc(0.45, 0.67, 0.28, 0.25, -90, 140)]],
    ],
    4: [
        [[(0.6, 0.08), (0.2, 0.62), (0.85, 0.62)], [(0.62, 0.35), (0.62, 0.94)]],
        [[(0.25, 0.1), (0.22, 0.5), (0.78, 0.5)], [(0.75, 0.1), (0.72, 0.92)]],
    ],
    5: [[[(0.75, 0.1), (0.3, 0.1), (0.27, 0.45), *_arc(0.47, 0.66, 0.28, 0.25, -110, 140)]]],
    6: [[[(0.65, 0.08), (0.38, 0.35), *_arc(0.5, 0.68, 0.25, 0.23, -170, 190)]]],
    7: [
        [[(0.2, 0.1), (0.8, 0.1), (0.4, 0.92)]],
        [[(0.2, 0.12), (0.78, 0.1), (0.45, 0.92)], [(0.35, 0.5), (0.75, 0.5)]],
    ],
    8: [[_arc(0.5, 0.29, 0.2, 0.2, 90, 450) + _arc(0.5, 0.7, 0.25, 0.22, -90, 270)]],
    9: [[[*_arc(0.5, 0.32, 0.24, 0.23, 0, 360), (0.72, 0.6), (0.65, 0.92)]]],
}
