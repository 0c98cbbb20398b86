"""Distances between samples: near duplicates, and the dimension of the surface that the data lie on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ganwise.data.dataset import Array

Matrix = npt.NDArray[np.float32]
Distances = npt.NDArray[np.float64]
THUMBNAIL = 8

_DISCARDED = 0.1
_CHUNK = 2048


def nearest(queries: Matrix, points: Matrix, k: int) -> Distances:
    """Distances ``(Q, k)`` from each query to its ``k`` nearest points, ascending."""
    k = min(k, len(points))
    best = np.empty((len(queries), 0), np.int64)
    best_square = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(points), _CHUNK):
        block = points[start : start + _CHUNK]
        square = (block**2).sum(1) - 2 * (queries @ block.T)
        square = np.concatenate([best_square, square], 1)
        numbers = np.arange(start, start + len(block))
        index = np.concatenate([best, np.broadcast_to(numbers, (len(queries), len(block)))], 1)
        # a few more than asked, because the expanded square is exact to about 1e-6 only
        chosen = np.argpartition(square, min(k + 2, square.shape[1]) - 1, axis=1)[:, : k + 2]
        best, best_square = np.take_along_axis(index, chosen, 1), np.take_along_axis(square, chosen, 1)
    exact = np.stack([_distances(query, points[row]) for query, row in zip(queries, best, strict=True)])
    return np.sort(exact, axis=1)[:, :k]


def _distances(query: Matrix, points: Matrix) -> Distances:
    difference = points.astype(np.float64) - query
    distances: Distances = np.sqrt((difference**2).sum(1))
    return distances


def intrinsic_dimension(samples: Matrix) -> float:
    """The dimension by the TwoNN estimator: how the second nearest neighbor's distance relates to the first's.

    A line through the origin fitted to ``-log(1 - F(mu))`` over ``log(mu)``, the largest tenth of the ratios left out.
    Equal samples must have been removed. 0 where it can't be estimated.
    Source: Facco et al. 2017, doi 10.1038/s41598-017-11873-y.
    """
    if len(samples) < 16:
        return 0.0
    centered = (samples - samples.mean(0)).astype(np.float32)
    near = nearest(centered, centered, 3)
    ratio = np.sort(near[:, 2] / np.maximum(near[:, 1], np.finfo(np.float64).tiny))
    kept = int(len(ratio) * (1 - _DISCARDED))
    x = np.log(ratio[:kept])
    y = -np.log1p(-np.arange(kept) / len(ratio))
    return float((x @ y) / (x @ x)) if x @ x > 0 else 0.0


def thumbnails(images: Array) -> Matrix:
    """Images ``(N, H, W, C)`` as gray means over 8x8 fields, ``(N, 64)``, in 0..255."""
    gray = images.mean(3, dtype=np.float32)
    for axis in (1, 2):
        edges = np.linspace(0, gray.shape[axis], THUMBNAIL + 1).astype(int)
        shape = [1, 1, 1]
        shape[axis] = THUMBNAIL
        gray = np.add.reduceat(gray, edges[:-1], axis=axis) / np.diff(edges).reshape(shape).astype(np.float32)
    flat: Matrix = gray.reshape(len(images), -1)
    return flat


def standardized(vectors: Array) -> Matrix:
    """Columns of mean 0 and standard deviation 1; constant ones become 0."""
    exact = vectors.astype(np.float64)
    sd = exact.std(0)
    scaled: Matrix = ((exact - exact.mean(0)) / np.where(sd > 0, sd, 1)).astype(np.float32)
    return scaled
