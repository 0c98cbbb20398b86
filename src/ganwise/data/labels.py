"""Labels of any kind become class numbers; -1 is unknown."""

from __future__ import annotations

import numpy as np

from ganwise.data.dataset import Array, Index
from ganwise.types import Unusable

MOST_CLASSES = 10_000


def unlabeled(n: int) -> tuple[Index, tuple[str, ...]]:
    return np.full(n, -1, np.int64), ()


def encode(given: Array, n: int, where: str) -> tuple[Index, tuple[str, ...]]:
    """Class numbers ``(n,)`` and class names from integers, one-hot rows or strings; negative, NaN or empty is unknown."""
    given = given.argmax(1) if _one_hot(given) else given.reshape(len(given), -1)
    if given.shape not in ((n,), (n, 1)):
        raise Unusable(f"{where}: {len(given)} labels of shape {given.shape} for {n} samples; one label a sample is needed")
    flat = given.reshape(-1)
    if flat.dtype.kind == "f":
        flat = _whole(flat, where)
    if flat.dtype.kind not in "biuUS":
        raise Unusable(f"{where}: labels have the dtype {flat.dtype}; integers or text are needed")
    known = flat != np.zeros(1, flat.dtype)[0] if flat.dtype.kind in "US" else flat.astype(np.int64) >= 0
    names, numbers = np.unique(flat[known], return_inverse=True)
    if len(names) > MOST_CLASSES:
        raise Unusable(f"{where}: labels take {len(names)} different values; are they classes at all? Leave them out if not")
    labels = np.full(n, -1, np.int64)
    labels[known] = numbers
    return labels, tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)


def _one_hot(given: Array) -> bool:
    if given.ndim != 2 or given.shape[1] < 2 or given.dtype.kind not in "biuf":
        return False
    return bool(np.all((given == 0) | (given == 1)) and np.all(given.sum(1) == 1))


def _whole(flat: Array, where: str) -> Array:
    known = np.isfinite(flat)
    if np.any(flat[known] != np.rint(flat[known])):
        raise Unusable(f"{where}: labels are fractions; integers or text are needed")
    return np.where(known, flat, -1).astype(np.int64)
