"""Scalars of TensorBoard's event files, read without TensorBoard.

A file is a sequence of records, each a length, a checksum of the length, bytes, a checksum of the bytes; the bytes are an
``Event`` message of protocol buffers. Fields read: Event 2 step, 5 summary; Summary 1 value; Value 1 tag, 2 simple value,
8 tensor; Tensor 1 type, 4 content, 5 floats, 6 doubles.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SMALL = 1 << 14  # bytes: an event with scalars; larger ones hold pictures, and are passed over unread
_FLOAT, _DOUBLE = 1, 2  # types of a tensor
_TAG, _SIMPLE, _TENSOR = 1, 2, 8


@cache
def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        rows.append(byte)
    return tuple(rows)


def crc32c(data: bytes) -> int:
    """The checksum of Castagnoli's polynomial."""
    crc, table = 0xFFFFFFFF, _table()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """The checksum as event files store it: rotated by 15 bits, and a constant added."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def is_events(head: bytes) -> bool:
    """Whether a file that begins so is an event file: the checksum of its first length is right."""
    return len(head) >= 12 and struct.unpack("<I", head[8:12])[0] == masked(head[:8])


def events(path: Path, notes: dict[str, None]) -> Iterator[tuple[int, str, float]]:
    """Step, tag and value of every scalar, until the file ends or is damaged, which is noted."""
    with path.open("rb") as file:
        while header := file.read(12):
            if len(header) < 12 or not is_events(header):
                break
            size = struct.unpack("<Q", header[:8])[0]
            if size > SMALL:
                file.seek(size + 4, 1)
                continue
            body = file.read(size + 4)
            if len(body) < size + 4 or struct.unpack("<I", body[size:])[0] != masked(body[:size]):
                break
            try:
                found = list(_scalars(body[:size]))
            except (IndexError, struct.error, ValueError):
                break
            yield from found
        else:
            return
    notes[f"{path.name} is cut off or damaged: read up to there"] = None


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a message: numbers as they are, anything of a length or of 4 or 8 bytes as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size, at = (_varint(data, at)) if kind == 2 else ({1: 8, 5: 4}[kind] if kind in (1, 5) else -1, at)
        if size < 0 or at + size > len(data):
            raise ValueError("not a message")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _scalars(event: bytes) -> Iterator[tuple[int, str, float]]:
    fields = list(_fields(event))
    step = next((value for key, value in fields if key == 2 and isinstance(value, int)), 0)
    for key, summary in fields:
        for inner, value in _fields(summary) if key == 5 and isinstance(summary, bytes) else ():
            if inner == 1 and isinstance(value, bytes):
                found = dict(_fields(value))
                number, tag = _scalar(found), found.get(_TAG)
                if number is not None and isinstance(tag, bytes):
                    yield step, tag.decode("utf-8", errors="replace"), number


def _scalar(value: dict[int, bytes | int]) -> float | None:
    """A simple value, or a tensor of one number; None for anything else."""
    simple, tensor = value.get(_SIMPLE), value.get(_TENSOR)
    if isinstance(simple, bytes) and len(simple) == 4:
        return float(struct.unpack("<f", simple)[0])
    if not isinstance(tensor, bytes):
        return None
    parts = dict(_fields(tensor))
    kind = parts.get(1)
    content = parts.get(4) or parts.get(5 if kind == _FLOAT else 6)
    form = {_FLOAT: "<f", _DOUBLE: "<d"}.get(kind) if isinstance(kind, int) else None
    if form is None or not isinstance(content, bytes) or len(content) != struct.calcsize(form):
        return None
    return float(struct.unpack(form, content)[0])
