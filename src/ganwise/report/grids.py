"""Grids of samples as data URIs: cropped to the first tiles where they are shown small, reduced where they are heavy."""

from __future__ import annotations

import io
import math
from base64 import b64encode
from itertools import product
from pathlib import Path
from typing import NamedTuple

from PIL import Image

LARGE, SMALL, STRIP = 240_000, 45_000, 28_000
"""Most bytes of one picture: two large ones, one small one a run, some ten of a strip; together under two megabytes."""
LEAST_TILE, COLUMNS, ROWS = 32, 6, 4


class Picture(NamedTuple):
    """``crisp`` says that its pixels are large on purpose and must not be smoothed."""

    uri: str
    width: int
    height: int
    crisp: bool


def picture(path: Path, most: int, shape: tuple[int, ...] | None, crop: bool = False) -> Picture | None:
    """A grid of samples of a shape (None: points); None where the file is missing or damaged."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError):
        return None
    side = shape[-1] if shape and len(shape) == 3 else 0
    if crop and side:
        image = image.crop(_first_tiles(image, side))
        content = _png(image)
    elif crop:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
        content = _png(image)
    kind = "png"
    if len(content) > most:
        image, content, kind = _lighter(image, most)
    elif side:
        content = _png(_open_gaps(image, side))
    uri = f"data:image/{kind};base64,{b64encode(content).decode()}"
    return Picture(uri, image.width, image.height, 0 < side < 2 * LEAST_TILE)


def _tile(side: int) -> tuple[int, int]:
    """Tile and gap of a grid in pixels, as `ganwise.pictures` draws it."""
    tile = side * max(1, math.ceil(LEAST_TILE / side))
    return tile, max(2, tile // 8)


def _open_gaps(image: Image.Image, side: int) -> Image.Image:
    """The paper between tiles made transparent, so that a dark page shows through; as it was where the geometry differs."""
    tile, gap = _tile(side)
    if any((length - gap) % (tile + gap) for length in image.size):
        return image
    columns, rows = ((length - gap) // (tile + gap) for length in image.size)
    mask = Image.new("L", image.size, 0)
    for x, y in product(range(columns), range(rows)):
        left, top = (gap + i * (tile + gap) for i in (x, y))
        mask.paste(255, (left, top, left + tile, top + tile))
    image = image.convert("RGBA")
    image.putalpha(mask)
    return image


def _first_tiles(image: Image.Image, side: int) -> tuple[int, int, int, int]:
    """The box of the first tiles, by the geometry that the grid was drawn with; all of it where that does not fit."""
    tile, gap = _tile(side)
    width, height = (n * (tile + gap) + gap for n in (COLUMNS, ROWS))
    return 0, 0, min(width, image.width), min(height, image.height)


def _lighter(image: Image.Image, most: int) -> tuple[Image.Image, bytes, str]:
    """Smaller first by quality, then by size."""
    while True:
        for quality in (88, 75, 60):
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality, optimize=True)
            if buffer.tell() <= most or max(image.size) <= 64:
                return image, buffer.getvalue(), "jpeg"
        image = image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.LANCZOS)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
