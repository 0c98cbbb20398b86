"""From what the user typed to a data set: which reader, then labels, split and identity."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from ganwise.data import cache
from ganwise.data.arrays import idx_pieces, read_idx, read_memory, read_npy, read_npz
from ganwise.data.builtin import BUILTIN, FILES, read_builtin
from ganwise.data.dataset import FEWEST, Array, Dataset, Reading, content_hash, raw
from ganwise.data.folders import Seen, read_folder, read_zip, walk
from ganwise.data.images import SUFFIXES
from ganwise.data.split import split
from ganwise.data.tables import read_csv, read_parquet
from ganwise.types import Kind, Unusable

Source = str | Path | Array | tuple[Any, Any]

READERS: dict[str, Callable[[Path, int | None], Reading]] = {
    ".npz": read_npz,
    ".npy": read_npy,
    ".zip": read_zip,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}

# raised whenever a reader or the split would make other arrays from the same files
_FORMAT = 2


def load(
    source: Source,
    *,
    size: int | None = None,
    strict: bool = False,
    name: str | None = None,
    use_cache: bool = True,
) -> Dataset:
    """A data set from a built-in name, a path, an array or a pair of values and labels.

    ``size`` is the side that images get; without it the median of the shorter sides, at most 64. ``strict`` refuses what would
    be skipped. ``Unusable`` for whatever can't be read, and for fewer than 64 samples.
    """
    # what is in memory already is not worth a copy on disk
    identity = fingerprint(source, size=size) if use_cache and isinstance(source, str | Path) else None
    dataset = stored(source, identity, verify=True) if identity else None
    if dataset is None:
        dataset = read(source, size)
        if identity:
            cache.store(identity, dataset)
    if strict:
        refuse_corrupt(dataset)
    return dataset if name is None else dataclasses.replace(dataset, name=name)


def stored(source: Source, identity: str, verify: bool) -> Dataset | None:
    """As `cache.stored`, by the name that the source goes by now: it may have been read first from another directory."""
    dataset = cache.stored(identity, verify)
    if dataset is None or dataset.source == source_text(source):
        return dataset
    before, now = (str(_expanded(each)) for each in (dataset.source, source_text(source)))
    troubles = tuple(
        trouble._replace(where=now + trouble.where.removeprefix(before)) if trouble.where.startswith(before) else trouble
        for trouble in dataset.troubles
    )
    return dataclasses.replace(dataset, name=source_name(source), source=source_text(source), troubles=troubles)


def located(dataset: Dataset) -> Dataset:
    """With a source that is found again from any directory."""
    path = _expanded(dataset.source)
    nowhere = dataset.source in BUILTIN or not (path.exists() or idx_pieces(path))
    return dataset if nowhere else dataclasses.replace(dataset, source=str(path.absolute()))


def read(source: Source, size: int | None) -> Dataset:
    """As ``load``, but always from the source itself."""
    reading = _read(source, size)
    where = source_text(source)
    n = len(reading.values)
    if n < FEWEST:
        raise Unusable(f"{where}: {n} usable samples; at least {FEWEST} are needed, and 1,000 are better")
    division = split(reading.values, reading.labels, reading.parts)
    kind: Kind = "image" if reading.values.ndim == 4 else "vector"
    content = content_hash(reading.values, reading.labels, division)
    values, labels, classes, _, troubles, seen = reading
    return Dataset(source_name(source), where, kind, values, labels, classes, division, content, troubles, seen)


def _read(source: Source, size: int | None) -> Reading:
    if isinstance(source, np.ndarray):
        return read_memory(source, None, size)
    if isinstance(source, tuple):
        return read_memory(np.asarray(source[0]), np.asarray(source[1]), size)
    if source in BUILTIN:
        return read_builtin(str(source), size)
    path = existing(source)
    if idx_pieces(path):
        return read_idx(path, size)
    if path.is_dir():
        return read_folder(path, size)
    if reader := READERS.get(path.suffix.lower()):
        return reader(path, size)
    if path.suffix.lower() in SUFFIXES:
        raise Unusable(f"{path}: a single image; give the folder that holds the images")
    raise Unusable(f"{path}: of no known kind; a folder or zip of images, npz, npy, csv, parquet or idx files are read")


def existing(source: str | Path) -> Path:
    """The path of a source that is no built-in. ``Unusable`` where there is none, with the nearest name that there is."""
    path = _expanded(source)
    with suppress(OSError):  # of a name that is too long, say
        if source != "" and (path.exists() or idx_pieces(path)):
            return path
    if str(source).startswith("hf:"):
        raise Unusable(f"{source}: Hugging Face data sets are not read by this version; save it as a folder, npz or parquet")
    close = get_close_matches(str(source), BUILTIN, n=1)
    hint = f"did you mean the built-in {close[0]}? " if close else ""
    raise Unusable(f"{source or '(empty)'}: the path does not exist; {hint}built-in are {', '.join(BUILTIN)}")


def _expanded(source: str | Path) -> Path:
    """With ``~`` as a home folder, where there is one of that name."""
    try:
        return Path(source).expanduser()
    except RuntimeError:
        return Path(source)


def fingerprint(source: Source, *, size: int | None = None) -> str:
    """A cheap identity of a source: names, sizes and times of its files, which are not opened; of an array, its bytes."""
    digest = hashlib.sha256(f"{_FORMAT} {size}".encode())
    if isinstance(source, np.ndarray | tuple):
        for array in map(np.asarray, source if isinstance(source, tuple) else (source,)):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(b"" if array.dtype.hasobject else raw(array))
    else:
        for file in _files(source):
            digest.update("\0{}\0{}\0{}".format(*file).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _files(source: str | Path) -> list[Seen]:
    if source in BUILTIN:
        return [_seen(FILES.get(str(source), Path(__file__).with_name("builtin.py")), str(source))]
    path = existing(source)
    if path.is_dir():
        return [_seen(path, str(path.resolve())), *walk(path)]
    files = [file for _, samples, labels in idx_pieces(path) for file in (samples, labels) if file] or [path]
    return [_seen(file, str(file.resolve())) for file in files]


def _seen(file: Path, name: str) -> Seen:
    status = file.stat()
    return Seen(name, status.st_size, status.st_mtime_ns)


def source_text(source: Source) -> str:
    return "the array" if isinstance(source, np.ndarray | tuple) else str(source)


def source_name(source: Source) -> str:
    """A short name: of a built-in its own, of a path its last part."""
    if isinstance(source, np.ndarray | tuple):
        return "array"
    path = _expanded(source)
    return str(source) if source in BUILTIN else (path.name if path.is_dir() else path.name.split(".")[0]) or "data"


def refuse_corrupt(dataset: Dataset) -> None:
    """``Unusable`` where loading skipped files."""
    skipped = int(dataset.seen.get("corrupt_files", 0))
    if skipped:
        first = next(trouble for trouble in dataset.troubles if trouble.what.startswith("a file was skipped"))
        reason = first.what.removeprefix("a file was skipped: ")
        text = f"{skipped} files can't be read, the first is {first.where.removeprefix(f'{dataset.source}: ')} ({reason})"
        raise Unusable(f"{dataset.source}: {text}; save it again or remove it, or allow skipping by leaving strict out")
