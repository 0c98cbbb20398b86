"""What loading ends in: one array, its labels, its split, and what the loader saw on the way."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ganwise.types import Kind, Shape, Trouble, Unusable, Value

Array = npt.NDArray[Any]
Index = npt.NDArray[np.int64]
Part = Literal["train", "validation", "test"]
FEWEST = 64
"""Samples under which nothing is worth training or measuring."""

_IN_MEMORY = 2 << 30


class Split(NamedTuple):
    """Row numbers, ascending. Training sees ``train``, choices among models see ``validation``, reported scores ``test``."""

    train: Index
    validation: Index
    test: Index


class Reading(NamedTuple):
    """What a reader hands over. ``parts`` is the user's own split, one of 0, 1, 2 (train, validation, test) a row."""

    values: Array
    labels: Index
    classes: tuple[str, ...]
    parts: npt.NDArray[np.int8] | None
    troubles: tuple[Trouble, ...]
    seen: Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples ready for training.

    Images are ``uint8`` of shape ``(N, H, W, C)`` with C 1 or 3; vectors are ``float32`` of shape ``(N, D)``. Either may be a
    memory map. A label of -1 is unknown. ``content`` is the SHA-256 of values, labels and split.
    """

    name: str
    source: str
    kind: Kind
    values: Array
    labels: Index
    classes: tuple[str, ...]
    split: Split
    content: str
    troubles: tuple[Trouble, ...]
    seen: Mapping[str, Value]

    @property
    def shape(self) -> Shape:
        """Of one sample as a network sees it: ``(C, H, W)`` or ``(D,)``."""
        if self.kind == "vector":
            return (int(self.values.shape[1]),)
        height, width, channels = self.values.shape[1:]
        return (int(channels), int(height), int(width))

    def __len__(self) -> int:
        return len(self.values)

    def part(self, which: Part) -> Array:
        """The samples of one part of the split, as a copy."""
        values: Array = self.values[getattr(self.split, which)]
        return values


def allocate(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """An array to fill: in memory, or over 2 GiB in an unnamed file that vanishes with the process."""
    if int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize <= _IN_MEMORY:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="ganwise-") as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def raw(array: Array) -> memoryview:
    """The bytes of an array, without a copy where it is contiguous."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def content_hash(values: Array, labels: Index, split: Split) -> str:
    """The SHA-256 of a data set: shapes, dtypes and bytes of values, labels and the three parts."""
    digest = hashlib.sha256()
    for array in (values, labels, *split):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(raw(array))
    return digest.hexdigest()


def write_whole(path: Path, data: bytes | Array) -> None:
    """Write a file so that no reader ever sees half of it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            if isinstance(data, bytes):
                file.write(data)
            else:
                np.lib.format.write_array(file, data, allow_pickle=False)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def as_json(dataset: Dataset) -> dict[str, Any]:
    """Everything about a data set but its arrays."""
    return {
        "format": 1,
        "name": dataset.name,
        "source": dataset.source,
        "kind": dataset.kind,
        "classes": list(dataset.classes),
        "content": dataset.content,
        "troubles": [list(trouble) for trouble in dataset.troubles],
        "seen": dict(dataset.seen),
    }


def save_arrays(dataset: Dataset, folder: Path) -> None:
    """Write values, labels and split as ``.npy`` files, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"labels": dataset.labels, **dataset.split._asdict(), "values": dataset.values}
    for name, array in arrays.items():
        write_whole(folder / f"{name}.npy", array)


def open_arrays(about: Mapping[str, Any], folder: Path) -> Dataset:
    """A data set from its description and a folder of arrays; the values stay on disk as a memory map."""

    def read(name: str, mode: Literal["r"] | None = None) -> Array:
        array: Array = np.load(folder / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
        return array

    if about["format"] != 1:
        raise ValueError(f"unknown format {about['format']}")
    values, labels = read("values", "r"), read("labels")
    if len(values) != len(labels):
        raise ValueError("values and labels differ in length")
    split = Split(read("train"), read("validation"), read("test"))
    troubles = tuple(Trouble(*row) for row in about["troubles"])
    text = (about["name"], about["source"], about["kind"])
    return Dataset(*text, values, labels, tuple(about["classes"]), split, about["content"], troubles, about["seen"])


def save(dataset: Dataset, folder: str | Path) -> None:
    """Write a data set into a folder, for ``open_saved``."""
    save_arrays(dataset, Path(folder))
    write_whole(Path(folder) / "dataset.json", json.dumps(as_json(dataset), indent=1).encode())


def open_saved(folder: str | Path) -> Dataset:
    """The data set that ``save`` wrote, its values a read-only memory map. ``Unusable`` where the folder holds none."""
    try:
        return open_arrays(json.loads((Path(folder) / "dataset.json").read_text()), Path(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unusable(f"{folder}: holds no readable saved data set ({error}); save it again") from error
