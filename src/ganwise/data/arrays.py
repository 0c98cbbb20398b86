"""Arrays become samples: images as bytes of one square size, or vectors as floats."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from ganwise.data import images
from ganwise.data.dataset import Array, Index, Reading, allocate
from ganwise.data.labels import encode, unlabeled
from ganwise.data.rows import Rows, damage_named, idx_rows, in_memory, npy_rows
from ganwise.data.split import TEST, TRAIN, VALIDATION
from ganwise.types import Trouble, Unusable, Value

Converted = tuple[Array, tuple[Trouble, ...], dict[str, Value]]

_SAMPLES = ("x", "images", "image", "data", "samples", "arr_0")
_LABELS = ("y", "labels", "label", "targets", "target", "classes")
_PARTS = {TRAIN: ("train", "training"), VALIDATION: ("val", "valid", "validation"), TEST: ("test", "testing")}
_IDX_NAME = re.compile(r"(?P<part>.*?)[-_.]?images[-_.]idx\d[-_.]ubyte(?P<gz>\.gz)?$")
_IDX_PARTS = {"train": TRAIN, "t10k": TEST, "test": TEST, "val": VALIDATION, "valid": VALIDATION}


class Piece(NamedTuple):
    """Samples of one part of the user's split, with their labels."""

    part: int
    samples: Rows
    labels: Rows | None


def read_npy(path: Path, size: int | None) -> Reading:
    """One array in an npy file."""
    with damage_named(path):
        rows = npy_rows(path, path.stem, lambda: path.open("rb"), path.stat().st_size)
        return read_arrays(str(path), [Piece(TRAIN, rows, None)], size)


def read_npz(path: Path, size: int | None) -> Reading:
    """The samples, labels and parts in an npz file, found by the names of its arrays."""
    with damage_named(path), zipfile.ZipFile(path) as archive:
        members = {i.filename.removesuffix(".npy"): i for i in archive.infolist() if i.filename.endswith(".npy")}

        def rows(name: str) -> Rows:
            open_file: Callable[[], IO[bytes]] = partial(archive.open, members[name])
            return npy_rows(path, name, open_file, members[name].file_size)

        return read_arrays(str(path), _pieces(path, list(members), rows), size)


def _pieces(path: Path, names: Sequence[str], rows: Callable[[str], Rows]) -> list[Piece]:
    """Whole, ``x`` and ``y``; or in parts, ``x_train`` and ``y_train`` or ``train_images`` and ``train_labels``."""
    lower = {name.lower(): name for name in names}

    def find(stems: Sequence[str], endings: Sequence[str]) -> Rows | None:
        wanted = [key for stem in stems for end in endings for key in (f"{stem}_{end}", f"{end}_{stem}")]
        key = next((key for key in (wanted if endings else stems) if key in lower), None)
        return rows(lower[key]) if key else None

    found = []
    for part, endings in _PARTS.items():
        if samples := find(_SAMPLES, endings):
            found.append(Piece(part, samples, find(_LABELS, endings)))
    if not found and (samples := find(_SAMPLES, ())):
        found.append(Piece(TRAIN, samples, find(_LABELS, ())))
    if not found and len(names) == 1:
        found.append(Piece(TRAIN, rows(names[0]), None))
    if not found:
        has = ", ".join(names) or "nothing"
        raise Unusable(f"{path}: holds the arrays {has}; name the samples x (or x_train, x_test) and the labels y")
    return found


def idx_pieces(path: Path) -> list[tuple[int, Path, Path | None]]:
    """Part, image file and label file for a folder, a prefix or one file of idx images; empty where there are none."""
    if path.is_dir():
        files = sorted(path.iterdir())
    elif path.is_file():
        files = [path]
    else:
        beside = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
        files = [file for file in beside if path.name and file.name.startswith(path.name)]
    found: dict[str, tuple[int, Path, Path | None]] = {}
    for file in files:
        if match := _IDX_NAME.match(file.name):
            part = next((p for name, p in _IDX_PARTS.items() if name in match["part"].lower()), TRAIN)
            found.setdefault(match["part"], (part, file, _idx_labels(file)))
    return list(found.values())


def _idx_labels(file: Path) -> Path | None:
    name = re.sub(r"images([-_.])idx\d", r"labels\1idx1", file.name)
    names = [name, name.removesuffix(".gz"), f"{name}.gz"]
    return next((file.with_name(n) for n in names if file.with_name(n).is_file()), None)


def read_idx(path: Path, size: int | None) -> Reading:
    """Images in the format of the MNIST files, with their labels and the official split where they lie beside each other."""
    pieces = []
    for part, samples, labels in idx_pieces(path):
        with damage_named(samples):
            pieces.append(Piece(part, idx_rows(samples), idx_rows(labels) if labels else None))
    with damage_named(path):
        return read_arrays(str(path), pieces, size)


def read_memory(values: Array, labels: Array | None, size: int | None) -> Reading:
    """An array that the caller holds, with or without labels."""
    where = "the array"
    if values.ndim == 0 or values.dtype.hasobject:
        raise Unusable(f"{where}: {values.ndim} dimensions of {values.dtype}; an array of numbers, a row a sample, is needed")
    if labels is not None and labels.ndim == 0:
        raise Unusable(f"{where}: the labels are no array; one label a sample is needed")
    rows = None if labels is None else in_memory("labels", labels)
    return read_arrays(where, [Piece(TRAIN, in_memory("values", values), rows)], size)


def read_arrays(where: str, pieces: Sequence[Piece], size: int | None) -> Reading:
    """Samples and labels of all parts, in one array each."""
    shapes = {piece.samples.shape[1:] for piece in pieces}
    if len(shapes) > 1:
        raise Unusable(f"{where}: the parts hold samples of different shapes, {sorted(shapes)}; one shape is needed")
    for samples in (piece.samples for piece in pieces):
        if samples.dtype.kind not in "biuf":
            raise Unusable(f"{where}: array '{samples.name}' has the dtype {samples.dtype}; numbers are needed")
    if pictured := len(shapes.pop()) in (2, 3):
        _one_dtype(where, [piece.samples for piece in pieces])
    convert = read_images if pictured else read_vectors
    values, troubles, seen = convert(where, [piece.samples for piece in pieces], size)
    labels, classes = _labels(where, pieces, len(values))
    parts = np.repeat([p.part for p in pieces], [p.samples.shape[0] for p in pieces]).astype(np.int8)
    given = parts if len(pieces) > 1 and TRAIN in parts else None
    return Reading(values, labels, classes, given, troubles, seen)


def _one_dtype(where: str, rows: Sequence[Rows]) -> None:
    """Bytes beside floats in [0, 1] are no data of one scale, and nobody can tell which of the two was meant."""
    first = rows[0]
    for other in rows[1:]:
        if other.dtype != first.dtype and not first.dtype.kind == other.dtype.kind == "f":
            both = f"'{first.name}' holds {first.dtype} and '{other.name}' {other.dtype}"
            raise Unusable(f"{where}: {both}; save them with one dtype and in one range")


def _labels(where: str, pieces: Sequence[Piece], n: int) -> tuple[Index, tuple[str, ...]]:
    given = [piece.labels.whole() if piece.labels else None for piece in pieces]
    if all(array is None for array in given):
        return unlabeled(n)
    unknown = "" if any(array is not None and array.dtype.kind in "US" for array in given) else -1
    columns = []
    for piece, array in zip(pieces, given, strict=True):
        rows = piece.samples.shape[0]
        columns.append(np.full(rows, unknown) if array is None else array)
        if len(columns[-1]) != rows:
            text = f"{len(columns[-1])} labels for the {rows} samples of '{piece.samples.name}'"
            raise Unusable(f"{where}: {text}; one label a sample is needed")
    return encode(np.concatenate(columns), n, where)


def read_images(where: str, rows: Sequence[Rows], size: int | None) -> Converted:
    """Arrays ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)`` of bytes, integers or floats as square images of bytes."""
    first, (height, width, channels) = _layout(where, rows[0].shape[1:])
    scale, note = _byte_scale(where, rows)
    side, troubles = images.choose_side([min(height, width)], size, where)
    n = sum(r.shape[0] for r in rows)
    values = allocate((n, side, side, 1 if channels < 3 else 3), np.uint8)
    done = 0
    for block in (block for r in rows for block in r.blocks()):
        pixels = scale(block.reshape(len(block), channels, height, width) if first else block)
        pixels = np.moveaxis(pixels, 1, -1) if first else pixels.reshape(len(block), height, width, channels)
        values[done : done + len(block)] = images.fit(pixels, side)
        done += len(block)
    if rows[0].dtype == np.uint8 and n and values.max() <= 1:
        values *= 255
        note = _converted(where, "0 and 1")
    gray = images.drop_equal_channels(values)
    cropped = n if height != width else 0
    troubles += note + images.shape_troubles(where, cropped, n if channels in (2, 4) else 0, gray.shape != values.shape)
    sizes: dict[str, Value] = {
        "side_min": min(height, width),
        "side_max": max(height, width),
        "distinct_sizes": 1,
        "mixed_sizes": False,
    }
    return gray, troubles, sizes | {"resized": (height, width) != (side, side), "cropped": bool(cropped)}


def _layout(where: str, shape: tuple[int, ...]) -> tuple[bool, tuple[int, int, int]]:
    """Whether channels come first, and height, width, channels."""
    if len(shape) == 2:
        first, size = False, (shape[0], shape[1], 1)
    elif 1 <= shape[2] <= 4:
        first, size = False, (shape[0], shape[1], shape[2])
    else:
        first, size = True, (shape[1], shape[2], shape[0])
    if not 1 <= size[2] <= 4 or min(size) < 1 or min(size[:2]) < 4:
        text = "images (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 to 4, or vectors (N, D), are needed"
        raise Unusable(f"{where}: samples of shape {shape}; {text}")
    return first, size


def _byte_scale(where: str, rows: Sequence[Rows]) -> tuple[Callable[[Array], Array], tuple[Trouble, ...]]:
    """How numbers become bytes: by the range that they take over the whole array."""
    if rows[0].dtype == np.uint8:
        return (lambda block: block), ()
    low, high = _range(where, rows)
    floats = rows[0].dtype.kind == "f"
    slack = 0.001 if floats else 0.0  # what arithmetic leaves: resizing ends in 1.0000001
    if low >= -slack and high <= 1 + slack:
        return partial(_stretch, low=0.0, high=1.0), _converted(where, "[0, 1]" if floats else "0 and 1")
    if floats and low >= -1.001 and high <= 1.001:
        return partial(_stretch, low=-1.0, high=1.0), _converted(where, "[-1, 1]")
    if low >= 0 and high <= 255:
        return partial(_stretch, low=0.0, high=255.0), _converted(where, "[0, 255]")
    if not floats and low >= 0 and high <= 65535:
        return partial(_stretch, low=0.0, high=65535.0), _converted(where, "0 to 65535")
    raise Unusable(f"{where}: pixels range from {low:g} to {high:g}; [0, 1], [-1, 1] or 0 to 255 is needed")


def _range(where: str, rows: Sequence[Rows]) -> tuple[float, float]:
    low, high, done = np.inf, -np.inf, 0
    for block in (block for r in rows for block in r.blocks()):
        a, b = float(block.min()), float(block.max())
        if not np.isfinite([a, b]).all():
            bad = np.flatnonzero(~np.isfinite(block.reshape(len(block), -1)).all(1))[0]
            raise Unusable(f"{where}: sample {done + bad} (from 0) holds NaN or infinity; finite numbers are needed")
        low, high, done = min(low, a), max(high, b), done + len(block)
    return low, high


def _stretch(block: Array, low: float, high: float) -> Array:
    scaled = (block.astype(np.float32) - low) * (255 / (high - low))
    stretched: Array = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return stretched


def _converted(where: str, what: str) -> tuple[Trouble, ...]:
    return (Trouble("info", f"pixels in {what} were converted to bytes, 0 to 255", where, "nothing to do"),)


def read_vectors(where: str, rows: Sequence[Rows], size: int | None) -> Converted:
    """Arrays ``(N, D)`` or ``(N,)`` of any numbers as ``float32`` vectors."""
    shape = rows[0].shape[1:]
    if len(shape) > 1 or 0 in shape:
        raise Unusable(f"{where}: samples of shape {shape}; images (N, H, W, C) or vectors (N, D) are needed")
    if size is not None:
        raise Unusable(f"{where}: holds vectors, which have no size in pixels; leave the size out")
    _range(where, rows)
    values = allocate((sum(r.shape[0] for r in rows), *(shape or (1,))), np.float32)
    done = 0
    for block in (block for r in rows for block in r.blocks()):
        with np.errstate(over="ignore"):
            values[done : done + len(block)] = block.reshape(len(block), -1)
        done += len(block)
    if not np.isfinite([values.min(initial=0), values.max(initial=0)]).all():
        raise Unusable(f"{where}: holds numbers beyond 3.4e38, which float32 can't carry; rescale them")
    return values, _maybe_images(where, rows[0]), {}


def _maybe_images(where: str, rows: Rows) -> tuple[Trouble, ...]:
    width = rows.shape[-1]
    side = int((width // 3 if width % 3 == 0 and int((width // 3) ** 0.5) ** 2 == width // 3 else width) ** 0.5)
    if rows.dtype != np.uint8 or side < images.SMALLEST_SIDE or width not in (side * side, 3 * side * side):
        return ()
    fix = f"if they are images, save the array as (N, {side}, {side}) or (N, {side}, {side}, 3)"
    return (Trouble("info", f"vectors of {width} bytes might be flattened images", where, fix),)
