"""Facts that are measured on the samples. They depend on the content of a data set alone, and are kept by its hash."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ganwise.data import geometry
from ganwise.data.dataset import Array, Dataset, Index
from ganwise.data.split import distinct, leaked
from ganwise.types import Value

Facts = dict[str, Value]

NEIGHBOR_SAMPLES = 2_000
PIXEL_SAMPLES = 10_000
CLOSE_IN_CONTRASTS = 0.05
"""Distance of near duplicate images: root mean square over 8x8 thumbnails, in units of the thumbnail's standard deviation.

Measured against whole sets, for 2,000 images each: no two different images of CIFAR-10 (nearest .123), MNIST (.051) or the
8x8 digits (.110) are that close, while a copy saved again as JPEG of quality 75 lies at .027 (CIFAR-10) and .034 (MNIST).
"""
CLOSE_IN_NEIGHBORS = 0.01
"""Near duplicate vectors are closer than this part of the distance to the tenth neighbor; chance has about 10 * .01^D.

That is a tenth of the numbers in a single column, where near duplicates are therefore not sought.
"""

_BLOCK = 4096
_SAME_IN_NEARLY_ALL = 0.99
_FEWEST_LABELED = 0.5
_COLORFUL_FROM = 3.0


class Pixels(NamedTuple):
    """Sums over images: a histogram ``(C, 256)`` of all, the rest per pixel or line of a sample of them."""

    histogram: Index
    constant_images: int
    constant_rows: npt.NDArray[np.float64]
    constant_columns: npt.NDArray[np.float64]
    pixel_sd: npt.NDArray[np.float64]
    channel_difference: float


def measure(dataset: Dataset) -> Facts:
    """All facts that the samples, labels and split tell."""
    number, n_distinct = distinct(dataset.values)
    duplicates = len(number) - n_distinct
    first = np.unique(number[dataset.split.train], return_index=True)[1]
    train = dataset.split.train[np.sort(first)]
    of_kind = image_facts if dataset.kind == "image" else vector_facts
    facts = {
        "exact_duplicates": duplicates,
        "exact_duplicate_share": duplicates / len(number),
        "leaked_duplicates": leaked(number, dataset.split),
        **class_facts(dataset.labels),
        **of_kind(dataset),
        **neighbor_facts(dataset, train),
    }
    return {name: _rounded(value) for name, value in facts.items()}


def _rounded(value: Value) -> Value:
    return float(f"{value:.6g}") if isinstance(value, float) and math.isfinite(value) else value


def class_facts(labels: Index) -> Facts:
    """How many are labeled, and how the classes compare."""
    known = labels[labels >= 0]
    counts = np.bincount(known) if len(known) else np.zeros(1, np.int64)
    share = len(known) / len(labels)
    total = max(len(known), 1)
    return {
        "labels": "none" if not len(known) else "few" if share < _FEWEST_LABELED else "all",
        "labeled_share": share,
        "n_classes": int((counts > 0).sum()),
        "largest_class_share": float(counts.max() / total),
        "smallest_class_share": float(counts.min() / total),
        "balanced": bool(counts.max() <= 2 * counts.min()),
    }


def blocks(values: Array, rows: Index) -> Iterator[Array]:
    """The rows of an array that may lie on disk, a few thousand at a time."""
    return (values[rows[start : start + _BLOCK]] for start in range(0, len(rows), _BLOCK))


def spread(rows: Index, most: int) -> Index:
    """At most so many of the rows, evenly spaced."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def image_facts(dataset: Dataset) -> Facts:
    """Range, borders, background and color of the training images."""
    pixels = sum_pixels(dataset.values, dataset.split.train)
    histogram = pixels.histogram.sum(0)
    levels, total = np.arange(256), histogram.sum()
    mean = float((histogram @ levels) / total)
    present = np.flatnonzero(histogram)
    channels = dataset.values.shape[3]
    return {
        "value_min": float(present[0]),
        "value_max": float(present[-1]),
        "value_mean": mean,
        "value_std": float(np.sqrt((histogram @ (levels - mean) ** 2) / total)),
        "constant_images": pixels.constant_images,
        "padding_share": _border(pixels.constant_rows, pixels.constant_columns),
        "constant_pixel_share": float((pixels.pixel_sd < 1).mean()),
        "background_share": float(pixels.histogram.max(1).sum() / total),
        "colorful": channels == 3 and pixels.channel_difference > _COLORFUL_FROM,
    }


def sum_pixels(values: Array, train: Index) -> Pixels:
    """One pass over the training images; what needs no more is taken from at most 10,000 of them."""
    channels, constant = values.shape[3], 0
    histogram = np.zeros((channels, 256), np.int64)
    for block in blocks(values, train):
        for channel in range(channels):
            histogram[channel] += np.bincount(block[..., channel].reshape(-1), minlength=256)
        constant += int((block == block[:, :1, :1]).all((1, 2, 3)).sum())
    sample = spread(train, PIXEL_SAMPLES)
    rows, columns = np.zeros(values.shape[1]), np.zeros(values.shape[2])
    total, squares, difference = np.zeros(values.shape[1:]), np.zeros(values.shape[1:]), 0.0
    for block in blocks(values, sample):
        rows += (block == block[:, :, :1]).all((2, 3)).sum(0)
        columns += (block == block[:, :1]).all((1, 3)).sum(0)
        exact = block.astype(np.float32)
        total += exact.sum(0, dtype=np.float64)
        squares += (exact**2).sum(0, dtype=np.float64)
        difference += float((exact.max(3) - exact.min(3)).mean((1, 2)).sum())
    n = len(sample)
    sd = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0))
    return Pixels(histogram, constant, rows / n, columns / n, sd, difference / n)


def _border(rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]) -> float:
    """The share of rows and columns that form a border of one value each in at least 99 % of the images."""
    lines = 0
    for constant in (rows >= _SAME_IN_NEARLY_ALL, columns >= _SAME_IN_NEARLY_ALL):
        if constant.all():
            return 1.0
        lines += int(np.argmin(constant) + np.argmin(constant[::-1]))
    return lines / (len(rows) + len(columns))


def vector_facts(dataset: Dataset) -> Facts:
    """Range of all numbers and scale of each column, over the training rows."""
    values = np.asarray(dataset.values[dataset.split.train], np.float64)
    sd = values.std(0)
    varying = sd[sd > 0]
    sample = values[spread(np.arange(len(values)), NEIGHBOR_SAMPLES)]
    discrete = sum(len(np.unique(column)) <= 10 for column in sample.T)
    return {
        "value_min": float(values.min()),
        "value_max": float(values.max()),
        "value_mean": float(values.mean()),
        "value_std": float(values.std()),
        "constant_images": 0,
        "padding_share": 0.0,
        "constant_pixel_share": 0.0,
        "background_share": 0.0,
        "colorful": False,
        "constant_columns": int((sd == 0).sum()),
        "discrete_columns": discrete - int((sd == 0).sum()),
        "scale_ratio": float(varying.max() / varying.min()) if len(varying) else 1.0,
    }


def neighbor_facts(dataset: Dataset, train: Index) -> Facts:
    """Near duplicates and intrinsic dimension from at most 2,000 distinct training samples.

    Near duplicates are sought among up to 50,000 of them.
    """
    chosen = spread(train, NEIGHBOR_SAMPLES)
    others = np.union1d(chosen, spread(train, 50_000))
    queries = np.searchsorted(others, chosen)
    if dataset.kind == "image":
        points = np.concatenate([geometry.thumbnails(block) for block in blocks(dataset.values, others)])
        samples = (dataset.values[chosen].reshape(len(chosen), -1) / np.float32(255)).astype(np.float32)
        contrast = np.maximum(points[queries].std(1), 1) * np.sqrt(points.shape[1])
        close = geometry.nearest(points[queries], points, 2)[:, 1:] < CLOSE_IN_CONTRASTS * contrast[:, None]
    else:
        points = geometry.standardized(dataset.values[others])
        samples = points[queries]
        near = geometry.nearest(samples, points, 11)
        close = (near[:, 1:2] < CLOSE_IN_NEIGHBORS * near[:, -1:]) & (dataset.values.shape[1] > 1)
    return {"near_duplicates": float(close.any(1).mean()), "intrinsic_dimension": geometry.intrinsic_dimension(samples)}
