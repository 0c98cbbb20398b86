"""Features and yardsticks, kept by the hash of all that they depend on."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ganwise.data import cache_folder
from ganwise.data.dataset import write_whole

Array = npt.NDArray[Any]
_KEPT = 64


def cached(key: Mapping[str, object], make: Callable[[], dict[str, Array]]) -> dict[str, Array]:
    """Arrays from the cache folder, or made and put there. A damaged file is made anew."""
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    path = cache_folder() / "features" / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return {field: file[field] for field in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        arrays = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub takes **kwds for allow_pickle
        write_whole(path, buffer.getvalue())
        for old in sorted(path.parent.glob("*.npz"), key=lambda file: file.stat().st_mtime)[:-_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        pass  # a full or read-only disk costs time, not the score
    return arrays
