"""Pictures of BEGAN's experiments."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganwise.artifacts import write_bytes
from ganwise.reproduce.work import Row


def keep(path: Path, images: np.ndarray) -> None:
    """Images as an array file, for a picture made later."""
    buffer = io.BytesIO()
    np.save(buffer, images)
    write_bytes(path, buffer.getvalue())


def draw(experiment: str, rows: Sequence[Row], out: Path) -> None:
    return None
