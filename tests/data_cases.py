"""Files of data that the tests of loading write, and how they hear of a refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganwise.data import load
from ganwise.types import Unusable

RNG = np.random.default_rng(0)


def noise(n: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


def folder_of(where: Path, arrays: np.ndarray, suffix: str = "png", **options: object) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    for i, array in enumerate(arrays):
        Image.fromarray(array).save(where / f"{i:04d}.{suffix}", **options)
    return where


def refusal(source: object, **options: object) -> str:
    with pytest.raises(Unusable) as caught:
        load(source, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def csv_of(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path
