"""A number with its interval, the arrays it may be made of, and squared distances in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganwise.types import Unusable

Array = npt.NDArray[Any]
Z95 = 1.959963984540054
"""Half the width of a 95 % interval, in standard errors."""

CHUNK = 500
_FLOAT64_UNTIL = 2_000_000_000
_ROUNDING = {torch.float64: 1e-13, torch.float32: 1e-6}


class Estimate(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def around(value: float, standard_error: float, least: float = -np.inf) -> Estimate:
    """The normal interval about a value, cut off where the quantity can't go."""
    return Estimate(value, max(value - Z95 * standard_error, least), value + Z95 * standard_error)


def wilson(p: float, n: float) -> Estimate:
    """A proportion ``p`` of ``n`` with Wilson's score interval, which stays in [0, 1] and has a width at p = 1, too."""
    center, spread = p + Z95**2 / (2 * n), Z95 * sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    low, high = ((center + side * spread) / (1 + Z95**2 / n) for side in (-1, 1))
    return Estimate(p, max(min(low, p), 0.0), min(max(high, p), 1.0))


def check(least: int, **arrays: Array) -> None:
    """``Unusable`` below ``least`` samples, on NaN or infinity, or where the arrays are not rows of one length."""
    widths = {name: array.shape[1:] for name, array in arrays.items()}
    if any(len(width) != 1 for width in widths.values()) or len(set(widths.values())) != 1:
        raise Unusable(f"samples to compare must be rows of one length, not {widths}; flatten them, or extract features")
    for name, array in arrays.items():
        if len(array) < least:
            raise Unusable(f"{name}: {len(array)} samples are too few for this metric; it needs at least {least}")
        if not np.isfinite(array).all():
            raise Unusable(f"{name}: holds NaN or infinity; a metric of it would mean nothing")


def tensors(least: int, **arrays: Array) -> tuple[Tensor, ...]:
    """Checked arrays as float64 tensors ``(N, F)``."""
    check(least, **arrays)
    return tuple(torch.from_numpy(np.ascontiguousarray(array, np.float64)) for array in arrays.values())


def working_dtype(*sizes: int) -> torch.dtype:
    """Float64 while it is cheap, float32 for products over 2e9 multiplications. Sums are float64 in either case."""
    return torch.float64 if np.prod([float(size) for size in sizes]) <= _FLOAT64_UNTIL else torch.float32


def distance_blocks(x: Tensor, y: Tensor, chunk: int = CHUNK) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of all ``x`` to ``y``, ``chunk`` rows of x at a time.

    ``|x - y|^2 = |x|^2 - 2 x.y + |y|^2`` about the mean of y; what is less than the rounding of its terms is 0, so that
    equal rows are at distance 0 in either dtype.
    """
    dtype = working_dtype(len(x), len(y), x.shape[1])
    center = y.mean(0).to(dtype)
    x, y = x.to(dtype) - center, y.to(dtype) - center
    x2, y2 = x.square().sum(1), y.square().sum(1)
    for i in range(0, len(x), chunk):
        rows = slice(i, i + chunk)
        size = x2[rows, None] + y2
        d2 = torch.addmm(size, x[rows], y.T, alpha=-2)
        # in place: at 10,000 x 10,000 a few more copies would be most of the memory
        yield rows, d2.masked_fill_(d2 < size.mul_(_ROUNDING[dtype]), 0.0)
