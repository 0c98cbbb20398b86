"""A run's directory on its way to another machine: what of it has changed since the last parcel.

A trial goes on writing while its directory is read, and whoever unpacks a parcel may be killed half-way. Both leave what a kill
of the trial itself could have left, from which it resumes exactly: `run.json`, which tells of looks, is read first and written
last; checkpoints come next; what only grows, and is cut back to a checkpoint, is read last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ganwise.artifacts import write_bytes

RUN, CHECKPOINTS = "run.json", "checkpoints/"
PICTURES = ".png"
"""Which no run goes on from: they come back, but are sent nowhere."""


class Mark(NamedTuple):
    """By which a file that was written again is told from one that was not."""

    inode: int
    size: int
    changed: int


class Parcel(NamedTuple):
    """Contents by path in the run's directory, in the order in which they were read; and what is no longer there."""

    files: Mapping[str, bytes]
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.gone)


def pack(folder: Path, sent: dict[str, Mark]) -> Parcel:
    """What has changed in ``folder`` since ``sent``, which is brought up to date."""
    files: dict[str, bytes] = {}
    names = _names(folder)
    for name in names:
        with suppress(FileNotFoundError):  # thinned meanwhile: the next parcel tells of it
            mark = _mark(folder / name)
            if sent.get(name) != mark:
                files[name] = (folder / name).read_bytes()
                sent[name] = mark
    gone = tuple(sorted(sent.keys() - set(names)))
    for name in gone:
        del sent[name]
    return Parcel(files, gone)


def whole(folder: Path) -> Parcel:
    """All that a run in ``folder`` needs to go on elsewhere."""
    return Parcel({name: (folder / name).read_bytes() for name in _names(folder) if not name.endswith(PICTURES)})


def marks(folder: Path) -> dict[str, Mark]:
    """As if all of ``folder`` were sent already."""
    return {name: _mark(folder / name) for name in _names(folder)}


def unpack(parcel: Parcel, folder: Path) -> None:
    """Brings ``folder`` up to what it was where the parcel was packed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(parcel.files.keys() - {RUN}, key=_place, reverse=True):
        write_bytes(folder / name, parcel.files[name])
    for name in parcel.gone:
        (folder / name).unlink(missing_ok=True)
    if RUN in parcel.files:
        write_bytes(folder / RUN, parcel.files[RUN])


def _names(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = [path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts)]
    return sorted(names, key=_place)


def _place(name: str) -> tuple[bool, bool, str]:
    return name != RUN, not name.startswith(CHECKPOINTS), name


def _mark(path: Path) -> Mark:
    told = path.stat()
    return Mark(told.st_ino, told.st_size, told.st_mtime_ns)


def pieces(path: Path, size: int) -> Iterable[bytes]:
    """The content of a file, so many bytes at a time; one empty piece where it is empty."""
    with path.open("rb") as file:
        yield file.read(size)
        while piece := file.read(size):
            yield piece
