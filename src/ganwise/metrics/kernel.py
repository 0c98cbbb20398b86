"""The kernel distance: maximum mean discrepancy under a cubic kernel."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from ganwise.metrics.estimate import CHUNK, Array, Estimate, around, tensors, working_dtype

LEAST = 25


def kid(real: Array, fake: Array, chunk: int = CHUNK) -> Estimate:
    """Unbiased squared MMD with the kernel ``k(x, y) = (x.y / F + 1)^3``.

    ``sum_{i != j} k(x_i, x_j) / (n (n-1)) + the same of y - 2 sum_{i,j} k(x_i, y_j) / (n m)``. Features ``(n, F)`` and
    ``(m, F)``. The plain value, not times 1,000 as tables print it; about 0, on either side, for equal distributions.

    The interval is the jackknife's over both samples, in closed form from the kernel's row sums; near 0, where the statistic is
    degenerate, it errs on the wide side. A cubic kernel sees three moments: not a ring, nor a grid of Gaussians.

    Source: binkowski2018kid, eq. 3 and 4.
    """
    x, y = tensors(LEAST, real=real, fake=fake)
    (n, width), m = x.shape, len(y)
    dtype = working_dtype(n, m, width)
    x, y = x.to(dtype), y.to(dtype)
    xx, yy = _own_sums(x, chunk), _own_sums(y, chunk)
    xy, yx = _cross_sums(x, y, chunk)
    total = float(xy.sum())
    value = float(xx.sum()) / (n * (n - 1)) + float(yy.sum()) / (m * (m - 1)) - 2 * total / (n * m)
    variance = _jackknife(xx, xy, total, m) + _jackknife(yy, yx, total, n)
    return around(value, sqrt(variance))


def _jackknife(own: Tensor, cross: Tensor, total: float, others: int) -> float:
    """Variance of the statistic by leaving out each sample of one side, whose other terms are constant."""
    n = len(own)
    without = (own.sum() - 2 * own) / ((n - 1) * (n - 2)) - 2 * (total - cross) / ((n - 1) * others)
    return float((without - without.mean()).square().sum()) * (n - 1) / n


def _cube(products: Tensor, width: int) -> Tensor:
    # in float64: the cube of a diverged generator's features overflows float32
    return products.double().div_(width).add_(1).pow_(3)


def _own_sums(x: Tensor, chunk: int) -> Tensor:
    """``sum_{j != i} k(x_i, x_j)`` for each i, shape (n,), from the blocks on and above the diagonal."""
    n, width = x.shape
    sums = torch.zeros(n, dtype=torch.float64)
    for i in range(0, n, chunk):
        for j in range(i, n, chunk):
            k = _cube(x[i : i + chunk] @ x[j : j + chunk].T, width)
            if i == j:
                k.fill_diagonal_(0.0)
            else:
                sums[j : j + chunk] += k.sum(0)
            sums[i : i + chunk] += k.sum(1)
    return sums


def _cross_sums(x: Tensor, y: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """``sum_j k(x_i, y_j)`` for each i, shape (n,), and ``sum_i`` of it for each j, shape (m,)."""
    rows, columns = torch.zeros(len(x), dtype=torch.float64), torch.zeros(len(y), dtype=torch.float64)
    for i in range(0, len(x), chunk):
        for j in range(0, len(y), chunk):
            k = _cube(x[i : i + chunk] @ y[j : j + chunk].T, x.shape[1])
            rows[i : i + chunk] += k.sum(1)
            columns[j : j + chunk] += k.sum(0)
    return rows, columns
