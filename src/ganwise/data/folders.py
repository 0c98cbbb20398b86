"""A folder or a zip of pictures: headers first, then every picture straight into its place in one array."""

from __future__ import annotations

import io
import os
import stat
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ganwise.data import images
from ganwise.data.dataset import Array, Index, Reading, allocate
from ganwise.data.images import Header
from ganwise.data.labels import unlabeled
from ganwise.data.split import TEST, TRAIN, VALIDATION
from ganwise.types import Trouble, Unusable

PART_FOLDERS = {"train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION,
                "validation": VALIDATION, "test": TEST, "testing": TEST}  # fmt: skip
NAMED_AT_MOST = 20
SHOW_PROGRESS_FROM = 2_000

_BIGGEST_FILE, _BIGGEST_ARCHIVE, _HIGHEST_RATIO = 1 << 30, 1 << 36, 200
_BATCH = 256

T = TypeVar("T")


class Pictures(NamedTuple):
    """Where pictures come from: their names below ``where``, and how to open one."""

    where: str
    names: list[str]
    open: Callable[[str], BinaryIO]
    refused: list[tuple[str, str]]
    ignored: int


class Seen(NamedTuple):
    """A file as its folder lists it, unopened."""

    name: str
    size: int
    mtime_ns: int


def walk(folder: Path) -> list[Seen]:
    """The visible files below a folder, sorted by name; links are followed, but never in a circle."""
    found: list[Seen] = []
    here = os.stat(folder)
    waiting, visited = [("", str(folder))], {(here.st_dev, here.st_ino)}
    while waiting:
        prefix, path = waiting.pop()
        with os.scandir(path) as entries:
            for entry in filter(lambda entry: _visible(entry.name), entries):
                try:
                    status = entry.stat()
                except OSError:  # a link to nothing, or gone since
                    continue
                identity = (status.st_dev, status.st_ino)
                if not stat.S_ISDIR(status.st_mode):
                    found.append(Seen(f"{prefix}{entry.name}", status.st_size, status.st_mtime_ns))
                elif identity not in visited:
                    visited.add(identity)
                    waiting.append((f"{prefix}{entry.name}/", entry.path))
    return sorted(found)


def _visible(name: str) -> bool:
    return not name.startswith(".") and name not in ("__MACOSX", "Thumbs.db", "desktop.ini")


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in images.SUFFIXES


def read_folder(folder: Path, size: int | None) -> Reading:
    """The pictures below a folder."""
    files = [file.name for file in walk(folder)]
    names = [name for name in files if _is_picture(name)]
    if not files:
        raise Unusable(f"{folder}: an empty folder; images ({_suffixes()}) are needed")
    if not names:
        data = next((name for name in files if Path(name).suffix in (".npz", ".csv", ".parquet", ".zip")), None)
        hint = f"; did you mean {folder / data}?" if data else f"; {_suffixes()} are read"
        raise Unusable(f"{folder}: holds {len(files)} files, but no image{hint}")
    return read_pictures(Pictures(str(folder), names, lambda name: (folder / name).open("rb"), [], len(files) - len(names)), size)


def read_zip(path: Path, size: int | None) -> Reading:
    """The pictures in a zip, read without unpacking it."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir() and _visible_path(info.filename)]
            safe, refused = safe_members(path, [info for info in members if _is_picture(info.filename)])
            if not safe and not refused:
                raise Unusable(f"{path}: holds {len(members)} files, but no image; {_suffixes()} are read")
            ignored = len(members) - len(safe) - len(refused)
            # by its entry: of a name that occurs twice, the archive itself would read the last
            pictures = Pictures(str(path), list(safe), lambda name: io.BytesIO(archive.read(safe[name])), refused, ignored)
            return read_pictures(pictures, size)
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
        raise Unusable(f"{path}: not a readable zip file ({error}); make it again") from error


def safe_members(path: Path, members: list[zipfile.ZipInfo]) -> tuple[dict[str, zipfile.ZipInfo], list[tuple[str, str]]]:
    """Members that are safe to read, sorted by name, and names refused with the reason."""
    if sum(info.file_size for info in members) > _BIGGEST_ARCHIVE:
        raise Unusable(f"{path}: would unpack to over 64 GiB; unpack it yourself and give the folder")
    safe: dict[str, zipfile.ZipInfo] = {}
    refused = []
    for info in members:
        reason = "the name occurs twice" if info.filename in safe else _unsafe(info)
        if reason:
            refused.append((info.filename, reason))
        else:
            safe[info.filename] = info
    return dict(sorted(safe.items())), refused


def _unsafe(info: zipfile.ZipInfo) -> str | None:
    name = info.filename
    if name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in name.replace("\\", "/").split("/"):
        return "its name points outside of the zip"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link"
    if info.flag_bits & 1:
        return "encrypted"
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > _BIGGEST_FILE or (info.file_size > 1 << 24 and ratio > _HIGHEST_RATIO):
        return "a decompression bomb"
    return None


def _visible_path(name: str) -> bool:
    return all(_visible(part) or part == ".." for part in PurePosixPath(name).parts)


def _suffixes() -> str:
    return "png, jpg, webp, bmp, gif, tiff, ppm"


def read_pictures(source: Pictures, size: int | None) -> Reading:
    """Two passes: headers decide side and channels, then each picture is decoded into one array allocated once."""
    corrupt = list(source.refused)
    with images.quiet_pillow():
        heads = _headers(source, corrupt)
        if not heads:
            raise _all_corrupt(source, corrupt)
        side, troubles = images.choose_side([min(h.width, h.height) for h in heads.values()], size, source.where)
        channels = 1 if all(h.gray for h in heads.values()) else 3
        values, kept = _decode_all(source, list(heads), side, channels, corrupt)
    corrupt.sort()
    if not kept:
        raise _all_corrupt(source, corrupt)
    gray = images.drop_equal_channels(values)
    found = layout(kept, strip_wrapper=source.where.endswith(".zip"))
    gray = gray if len(found.kept) == len(gray) else gray[found.kept]
    heads = {kept[row]: heads[kept[row]] for row in found.kept}
    cropped = sum(h.width != h.height for h in heads.values())
    transparent = sum(h.transparent for h in heads.values())
    troubles += images.shape_troubles(source.where, cropped, transparent, gray.shape[1:] != values.shape[1:])
    troubles += _stray_troubles(source.where, found.strays, len(kept) - len(found.kept))
    troubles += _corrupt_troubles(source.where, corrupt, len(kept))
    return Reading(gray, found.labels, found.classes, found.parts, troubles, _seen(source, heads, side, len(corrupt)))


def _headers(source: Pictures, corrupt: list[tuple[str, str]]) -> dict[str, Header]:
    heads = {}
    for name in _progress("reading headers", source.names):
        try:
            with source.open(name) as file:
                heads[name] = images.header(file)
        except Exception as error:  # a hostile file makes Pillow's decoders raise almost anything
            corrupt.append((name, _reason(error)))
    return heads


def _decode_all(
    source: Pictures, names: list[str], side: int, channels: int, corrupt: list[tuple[str, str]]
) -> tuple[Array, list[str]]:
    """Decode in a few threads (Pillow works outside of the interpreter's lock); what fails leaves no gap."""

    def decode(name: str) -> Array | str:
        try:
            with source.open(name) as file:
                return images.decode(file, side, channels)
        except Exception as error:  # as above
            return _reason(error)

    values = allocate((len(names), side, side, channels), np.uint8)
    kept: list[str] = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        batches = [names[start : start + _BATCH] for start in range(0, len(names), _BATCH)]
        for batch in _progress("decoding images", batches, _BATCH):
            for name, picture in zip(batch, pool.map(decode, batch), strict=True):
                if isinstance(picture, str):
                    corrupt.append((name, picture))
                else:
                    values[len(kept)] = picture
                    kept.append(name)
    return values[: len(kept)], kept


class Layout(NamedTuple):
    """What folders say of their pictures: labels and parts of the rows in ``kept``, and how many lie where none is told."""

    kept: list[int]
    labels: Index
    classes: tuple[str, ...]
    parts: npt.NDArray[np.int8] | None
    strays: int


def layout(names: list[str], strip_wrapper: bool = False) -> Layout:
    """Labels, class names and the user's split from the folders that pictures lie in.

    Where most lie in folders, the others have no label, and beside the folders of a split no part: those are not kept.
    """
    folders = _unwrapped([PurePosixPath(name).parts[:-1] for name in names], strip_wrapper)
    kept, parts = list(range(len(names))), None
    inside = [row for row in kept if folders[row]]
    if 2 * len(inside) > len(names) and all(folders[row][0].lower() in PART_FOLDERS for row in inside):
        part_of_row = np.array([PART_FOLDERS[folders[row][0].lower()] for row in inside], np.int8)
        if TRAIN in part_of_row and len(np.unique(part_of_row)) > 1:
            kept, parts = inside, part_of_row
        folders = [folders[row][1:] for row in kept]
    labels, classes, strays = _classes(folders, parts)
    return Layout(kept, labels, classes, parts, strays + len(names) - len(kept))


def _unwrapped(folders: list[tuple[str, ...]], strip_wrapper: bool) -> list[tuple[str, ...]]:
    """Without the one folder around everything: it says nothing, unless it is the only class that there is."""
    tops = {folder[0] for folder in folders if folder}
    deep = [folder for folder in folders if len(folder) > 1]
    several = 2 * len(deep) > len(folders) and len({folder[1] for folder in deep}) > 1
    wraps = several or (len(deep) == len(folders)) or (strip_wrapper and all(folders))
    return [folder[1:] for folder in folders] if len(tops) == 1 and wraps else folders


def _classes(folders: list[tuple[str, ...]], parts: npt.NDArray[np.int8] | None) -> tuple[Index, tuple[str, ...], int]:
    """Labels, class names, and how many training pictures lie outside of the class folders; no classes where most do."""
    trained = [folder for i, folder in enumerate(folders) if parts is None or parts[i] == TRAIN]
    outside = sum(not folder for folder in trained)
    found = {folder[0] for folder in folders if folder}
    if outside and (2 * outside >= len(trained) or len(found) < 2):
        return *unlabeled(len(folders)), 0
    classes = tuple(sorted(found, key=int) if all(name.isdecimal() for name in found) else sorted(found))
    number = {name: i for i, name in enumerate(classes)}
    labels = np.array([number[folder[0]] if folder else -1 for folder in folders], np.int64)
    return labels, classes, outside


def _progress(says: str, items: list[T], each: int = 1) -> Iterable[T]:
    if len(items) * each < SHOW_PROGRESS_FROM or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, f"{says} ...", console=Console(stderr=True), transient=True)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "cannot identify image file" in text:
        return "not an image"
    return text or type(error).__name__


def _all_corrupt(source: Pictures, corrupt: list[tuple[str, str]]) -> Unusable:
    name, reason = corrupt[0]
    n = len(corrupt)
    return Unusable(f"{source.where}: none of the {n} images can be read (the first, {name}: {reason}); save them again")


def _stray_troubles(where: str, strays: int, skipped: int) -> tuple[Trouble, ...]:
    if not strays:
        return ()
    counts = {"were skipped": skipped, "have no label": strays - skipped}
    which = " and ".join(f"{count} {became}" for became, count in counts.items() if count)
    what = f"{strays} images lie outside of the class folders: {which}"
    return (Trouble("warning", what, where, "move them into the folders that they belong to, or remove them"),)


def _corrupt_troubles(where: str, corrupt: list[tuple[str, str]], kept: int) -> tuple[Trouble, ...]:
    fix = "save the file again or remove it"
    troubles = [Trouble("warning", f"a file was skipped: {r}", f"{where}: {n}", fix) for n, r in corrupt[:NAMED_AT_MOST]]
    if len(corrupt) > NAMED_AT_MOST:
        what = f"{len(corrupt)} of {len(corrupt) + kept} files were skipped; the first {NAMED_AT_MOST} are named"
        troubles.append(Trouble("warning", what, where, fix))
    return tuple(troubles)


def _seen(source: Pictures, heads: dict[str, Header], side: int, corrupt: int) -> dict[str, int | str | bool]:
    sizes = Counter((h.width, h.height) for h in heads.values())
    sides = [s for size in sizes for s in size]
    return {
        "files": len(source.names) + len(source.refused),
        "files_ignored": source.ignored,
        "corrupt_files": corrupt,
        "side_min": min(sides),
        "side_max": max(sides),
        "distinct_sizes": len(sizes),
        "mixed_sizes": len(sizes) > 1,
        "resized": set(sizes) != {(side, side)},
        "cropped": any(width != height for width, height in sizes),
        "modes": " ".join(sorted({h.mode for h in heads.values()})),
    }
