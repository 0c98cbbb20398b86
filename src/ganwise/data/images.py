"""Pictures of any size and mode become squares of bytes of one size."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from ganwise.data.dataset import Array
from ganwise.shapes import side_stages
from ganwise.types import Trouble, Unusable

SUFFIXES = frozenset(
    f".{s}" for s in ("png", "jpg", "jpeg", "jfif", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "pbm", "pnm", "avif")
)
SMALLEST_SIDE, DEFAULT_SIDE = 8, 64

# no PostScript, no FITS, no raw sensor data: fewer decoders, and none that starts another program
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")
_GREY = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})


class Header(NamedTuple):
    """What a picture's first bytes tell without decoding it."""

    width: int
    height: int
    gray: bool
    transparent: bool
    mode: str


def valid_side(side: int) -> bool:
    """Whether a convolutional generator can grow an image of this side."""
    return side_stages(side) is not None


def nearest_side(side: int) -> int:
    """The largest valid side that is not above this one, because shrinking invents nothing; at least 8."""
    return next((s for s in range(side, SMALLEST_SIDE, -1) if valid_side(s)), SMALLEST_SIDE)


def choose_side(shorter_sides: Sequence[int] | Array, size: int | None, where: str) -> tuple[int, tuple[Trouble, ...]]:
    """The side to resize to, and what the user should know about the choice. ``Unusable`` for a size that no generator has."""
    if size is not None:
        if not valid_side(size):
            below = nearest_side(size)
            above = next(s for s in range(max(size, below) + 1, 2 * max(size, SMALLEST_SIDE) + 1) if valid_side(s))
            raise Unusable(f"{where}: size {size} can't be generated; use {below} or {above} (4, 5, 6 or 7 doubled)")
        return size, ()
    median = int(np.median(np.asarray(shorter_sides)))
    side = nearest_side(min(median, DEFAULT_SIDE))
    if median <= DEFAULT_SIDE:
        return side, ()
    what = f"images are reduced to {side}x{side}; their median shorter side is {median}"
    return side, (Trouble("info", what, where, "--size 128, or more, where time and memory allow"),)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow's remarks about odd files stay silent, but a decompression bomb is an error and not a remark."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def open_picture(file: BinaryIO) -> Image.Image:
    """Reads the header only."""
    Image.init()
    return Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])


def header(file: BinaryIO) -> Header:
    with open_picture(file) as image:
        return Header(image.width, image.height, image.mode in _GREY, image.has_transparency_data, image.mode)


def decode(file: BinaryIO, side: int, channels: int) -> Array:
    """One picture as ``uint8`` of shape ``(side, side, channels)``: upright, on white, center-cropped, antialiased."""
    with open_picture(file) as image:
        # a JPEG decodes at 1/2, 1/4 or 1/8 for a fraction of the work; twice the target keeps the antialiasing honest
        image.draft(None, (2 * side, 2 * side))
        upright = ImageOps.exif_transpose(image)
        return pixels(square(plain(upright, "L" if channels == 1 else "RGB"), side), channels)


def plain(image: Image.Image, mode: str) -> Image.Image:
    """8 bits a channel, without palette or transparency; what is transparent turns white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    elif image.mode == "P":
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def eight_bits(deep: Array) -> Array:
    """Gray values of 16 or 32 bits, or floats in [0, 1], as bytes."""
    whole_range = 65535 if deep.dtype.kind != "f" else 1 if deep.max() <= 1 else 255
    scaled = deep * (255 / whole_range)
    if not np.isfinite(scaled).all() or scaled.min() < 0 or scaled.max() > 255.5:
        raise ValueError("its deep gray values are neither in 0..65535 nor floats in 0..1 or 0..255")
    return np.rint(scaled).astype(np.uint8)


def square(image: Image.Image, side: int) -> Image.Image:
    """The central square, resized with an antialiasing filter."""
    width, height = image.size
    if (width, height) == (side, side):
        return image
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    return image.resize((side, side), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def pixels(image: Image.Image, channels: int) -> Array:
    array: Array = np.asarray(image).reshape(image.height, image.width, channels)
    return array


def fit(block: Array, side: int) -> Array:
    """A block of images ``(n, H, W, C)`` of bytes, C 1 to 4, as ``(n, side, side, 1 or 3)``."""
    channels = block.shape[3]
    if channels in (1, 3) and block.shape[1:3] == (side, side):
        return block
    mode, kept = {1: ("L", 1), 2: ("LA", 1), 3: ("RGB", 3), 4: ("RGBA", 3)}[channels]
    out = np.empty((len(block), side, side, kept), np.uint8)
    for i, array in enumerate(block):
        image = Image.frombytes(mode, (array.shape[1], array.shape[0]), np.ascontiguousarray(array).tobytes())
        out[i] = pixels(square(plain(image, "L" if kept == 1 else "RGB"), side), kept)
    return out


def drop_equal_channels(values: Array) -> Array:
    """Gray pictures stored as color keep one channel: a third of the numbers, and nothing is lost."""
    if values.shape[3] == 1:
        return values
    step = 256
    for start in range(0, len(values), step):
        block = values[start : start + step]
        if np.any(block[..., 0] != block[..., 1]) or np.any(block[..., 0] != block[..., 2]):
            return values
    return np.ascontiguousarray(values[..., :1])


def shape_troubles(where: str, cropped: int, transparent: int, collapsed: bool) -> tuple[Trouble, ...]:
    """What was done to the pictures to make them equal."""
    troubles = []
    if cropped:
        what = f"{cropped} images are not square and were center-cropped"
        troubles.append(Trouble("info", what, where, "crop them yourself where the subject is not in the middle"))
    if transparent:
        what = f"{transparent} images have transparency, which was laid on white"
        troubles.append(Trouble("info", what, where, "lay them on another background yourself where white is wrong"))
    if collapsed:
        what = "gray images stored as color; one channel was kept"
        troubles.append(Trouble("info", what, where, "nothing to do"))
    return tuple(troubles)
