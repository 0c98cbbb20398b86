"""Arrays on disk or in memory, read in blocks of rows so that memory holds the result and little else."""

from __future__ import annotations

import gzip
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np

from ganwise.data.dataset import Array
from ganwise.types import Unusable

_BLOCK = 1 << 22


class Rows(NamedTuple):
    """An array that is read in blocks of rows, as often as needed."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Callable[[], Iterator[Array]]

    def whole(self) -> Array:
        blocks = list(self.blocks())
        return np.concatenate(blocks) if blocks else np.empty(self.shape, self.dtype)


def in_memory(name: str, array: Array) -> Rows:
    step = max(1, _BLOCK // max(1, array[:1].nbytes))

    def blocks() -> Iterator[Array]:
        return (array[start : start + step] for start in range(0, len(array), step))

    return Rows(name, array.shape, array.dtype, blocks)


def in_file(name: str, open_file: Callable[[], IO[bytes]], offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Rows:
    """The rows that lie in a file, from an offset on, in C order."""
    step = max(1, _BLOCK // max(1, int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize))

    def blocks() -> Iterator[Array]:
        with open_file() as file:
            file.read(offset)
            for start in range(0, shape[0], step):
                block = np.empty((min(step, shape[0] - start), *shape[1:]), dtype)
                _fill(file, block.reshape(-1).view(np.uint8))
                yield block
            file.read(1)  # past the end: only there does a zip compare its checksum

    return Rows(name, shape, dtype, blocks)


def _fill(file: IO[bytes], target: Array) -> None:
    done = 0
    while done < len(target):
        piece = file.read(len(target) - done)
        if not piece:
            raise EOFError("it ends too early")
        target[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
        done += len(piece)


_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error, RuntimeError, MemoryError,
           tokenize.TokenError, SyntaxError)  # fmt: skip  # the last two: numpy reads the header of an npy file as Python


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Whatever a broken file makes the readers raise becomes one line that names it."""
    try:
        yield
    except _DAMAGE as e:
        reason = " ".join(str(e).split()) or type(e).__name__
        raise Unusable(f"{path}: damaged or not what its name says ({reason}); save it again") from e


def npy_rows(path: Path, name: str, open_file: Callable[[], IO[bytes]], n_bytes: int) -> Rows:
    """An array in npy format, by its header. ``Unusable`` for pickled objects, before any of them is touched."""
    with open_file() as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"npy format {version}")
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = read(file)
        offset = file.tell()
    if dtype.hasobject:
        raise Unusable(f"{path}: array '{name}' holds pickled objects, which are refused; save it with a numeric dtype")
    if offset + int(np.prod(shape, dtype=np.float64)) * dtype.itemsize != n_bytes:
        raise ValueError(f"array '{name}' does not have the size that its header says")
    if by_columns and len(shape) > 1:
        with open_file() as file:
            file.read(offset)
            data = np.frombuffer(file.read(), dtype).reshape(shape, order="F")
        return in_memory(name, data)
    return in_file(name, open_file, offset, shape or (1,), dtype)


def idx_rows(path: Path) -> Rows:
    """An array in the format of the MNIST files, zipped or not. Source: http://yann.lecun.com/exdb/mnist/."""

    def open_file() -> IO[bytes]:
        return cast(IO[bytes], gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))

    codes = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
    with open_file() as file:
        zeros, code, dimensions = struct.unpack(">HBB", file.read(4))
        if zeros or code not in codes or not dimensions:
            raise ValueError("no idx header")
        shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
    return in_file(path.name, open_file, 4 + 4 * dimensions, shape, np.dtype(codes[code]))
