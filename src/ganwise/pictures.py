"""Samples as a picture: a grid of tiles with a gap for images, a scatter plot for points."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ganwise.artifacts import write_bytes

PAPER, INK = (247, 246, 242), (38, 70, 140)


def picture(samples: np.ndarray, against: np.ndarray | None = None) -> Image.Image:
    """Images (N, H, W, C) bytes as a grid; vectors (N, D) by their first two columns, on the scale of ``against``."""
    return grid(samples) if samples.ndim == 4 else scatter(samples, samples if against is None else against)


def grid(images: np.ndarray, columns: int | None = None, least: int = 32) -> Image.Image:
    """Tiles with a gap of an eighth of their side, without which 8x8 digits can't be read; small ones are enlarged."""
    columns = columns or math.ceil(math.sqrt(len(images)))
    return _sheet(images, [divmod(i, columns) for i in range(len(images))], least)


def by_class(images: np.ndarray, labels: np.ndarray, least: int = 32) -> Image.Image:
    """As `grid`, a row for each class that occurs in ``labels`` (N,)."""
    seen: dict[int, int] = dict.fromkeys(sorted(set(labels.tolist())), 0)
    places = []
    for label in labels.tolist():
        places.append((list(seen).index(label), seen[label]))
        seen[label] += 1
    return _sheet(images, places, least)


def _sheet(images: np.ndarray, places: Sequence[tuple[int, int]], least: int) -> Image.Image:
    """Images at their (row, column)."""
    side = images.shape[1]
    times = max(1, math.ceil(least / side))
    tile, gap = side * times, max(2, side * times // 8)
    rows, columns = (1 + max(numbers) for numbers in zip(*places, strict=True))
    sheet = Image.new("RGB", (columns * (tile + gap) + gap, rows * (tile + gap) + gap), PAPER)
    for image, (row, column) in zip(images, places, strict=True):
        picture = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).convert("RGB")
        place = (gap + column * (tile + gap), gap + row * (tile + gap))
        sheet.paste(picture.resize((tile, tile), Image.Resampling.NEAREST), place)
    return sheet


def scatter(points: np.ndarray, against: np.ndarray, size: int = 480) -> Image.Image:
    """Dots of the first two columns, in the frame that holds ``against`` with a margin of a tenth."""
    if points.shape[1] == 1:  # one number: drawn along the horizontal axis
        points, against = (np.column_stack([p, np.zeros(len(p))]) for p in (points, against))
    scale = 2  # drawn larger, then reduced, for smooth dots
    low, high = against[:, :2].min(0), against[:, :2].max(0)
    center, reach = (low + high) / 2, max(float((high - low).max()) * 0.6, 1e-9)
    sheet = Image.new("RGB", (size * scale, size * scale), PAPER)
    draw = ImageDraw.Draw(sheet, "RGBA")
    for x, y in (points[:, :2] - center) / reach:
        px, py, radius = (x + 1) / 2 * size * scale, (1 - y) / 2 * size * scale, 2.2 * scale
        if -1 <= x <= 1 and -1 <= y <= 1:
            draw.ellipse((px - radius, py - radius, px + radius, py + radius), fill=(*INK, 110))
    return sheet.resize((size, size), Image.Resampling.LANCZOS)


def save(image: Image.Image, path: Path) -> None:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    write_bytes(path, buffer.getvalue())
