"""Logs that the tests of the readers write, and what they ask of them."""

from __future__ import annotations

import struct
from pathlib import Path

from ganwise.doctor import diagnose
from ganwise.doctor.events import masked
from ganwise.doctor.gather import Log


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def event(step: int, **scalars: float) -> bytes:
    """A record of an event file, written out by the format's definition."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    values = [field(1, field(1, tag.replace("_", "/").encode()) + b"\x15" + struct.pack("<f", v)) for tag, v in scalars.items()]
    body = b"\x09" + struct.pack("<d", 1.7e9) + b"\x10" + bytes([step & 0x7F | 0x80, step >> 7]) + field(5, b"".join(values))
    size = struct.pack("<Q", len(body))
    return size + struct.pack("<I", masked(size)) + body + struct.pack("<I", masked(body))


def broken(log: Log) -> list[int]:
    """The steps of the findings of values that are not finite."""
    return [f.since_step for f in diagnose(log.records, coarse=log.coarse).findings if f.problem == "not_finite"]
