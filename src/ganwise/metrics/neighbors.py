"""Metrics of nearest neighbors: precision, recall, density, coverage, and memorization."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganwise.metrics.estimate import CHUNK, Array, Estimate, around, check, distance_blocks, tensors, wilson

LEAST = 25
LEAST_MEMORIZATION = 10
K = 5

_PIECE = 5000
_RESAMPLES = 500


class Neighborhood(NamedTuple):
    """How two sets lie among each other's nearest neighbors."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


class _Counts(NamedTuple):
    """Of one side against the balls about the other's samples."""

    balls: Tensor  # (m,): of how many real balls each fake is a member
    reached: Tensor  # (n,): whether any fake lies in the ball of this real sample
    recalled: Tensor  # (n,): whether this real sample lies in the ball of any fake


def precision_recall_density_coverage(real: Array, fake: Array, k: int = K, chunk: int = CHUNK) -> Neighborhood:
    """Shares of samples inside the k-nearest-neighbor balls of the other set, features ``(n, F)`` and ``(m, F)``.

    With B(x) the closed ball about x that reaches its k-th nearest neighbor in x's own set:
    precision: share of fakes in any B(real);  recall: share of reals in any B(fake);
    density: ``1/(k m) sum_{fake, real} 1[fake in B(real)]``, over 1 where fakes crowd where reals are dense;
    coverage: share of reals whose B(real) holds a fake.
    Depends on n : m (compare at equal n). Precision and density rise under blur: never judge by them alone.

    Intervals: each share is a mean over one side's samples, and the other side's scatter adds about as much again (measured on
    disjoint real pairs), so the variance is doubled: Wilson's with n / 2, for density the normal one.

    Source: kynkaanniemi2019precision, eq. 1 to 3 (precision, recall); naeem2020density, eq. 3 and 4 (density, coverage).
    """
    x, y = tensors(max(LEAST, k + 1), real=real, fake=fake)
    counts = _count(x, y, k, chunk)
    n, m = len(x), len(y)
    precision = float((counts.balls > 0).double().mean())
    density = counts.balls.double() / k
    return Neighborhood(
        wilson(precision, m / 2),
        wilson(float(counts.recalled.double().mean()), n / 2),
        around(float(density.mean()), float((2 * density.var() / m).sqrt()), least=0.0),
        wilson(float(counts.reached.double().mean()), n / 2),
    )


def nearest_distances(samples: Array, among: Array, chunk: int = CHUNK) -> npt.NDArray[np.float64]:
    """Euclidean distance of each of ``samples`` ``(n, D)`` to the nearest of ``among`` ``(m, D)``, shape (n,)."""
    check(1, samples=samples, among=among)
    x = torch.from_numpy(samples.astype(np.float64))
    nearest = torch.full((len(x),), torch.inf, dtype=torch.float64)
    # a training part may be large, and may lie on disk: only a piece of it is float64 at a time
    for i in range(0, len(among), _PIECE):
        for rows, d2 in distance_blocks(x, torch.from_numpy(among[i : i + _PIECE].astype(np.float64)), chunk):
            nearest[rows] = nearest[rows].minimum(d2.amin(1).double())
    distances: npt.NDArray[np.float64] = nearest.sqrt().numpy()
    return distances


def memorization(train: Array, real: Array, fake: Array, seed: int = 0) -> Estimate:
    """Median distance of fakes to their nearest training sample, over that of held-out real samples.

    ``median_j min_i |fake_j - train_i| / median_j min_i |real_j - train_i|``; samples ``(N, D)`` as they are, without features,
    in any one unit. About 1 where fakes are as near to the training data as new real samples are; under 0.95 the generator
    repeats its training data; 0 for copies; large for noise. The interval is a bootstrap of both medians.
    """
    check(LEAST_MEMORIZATION, train=train, real=real, fake=fake)
    ours, theirs = nearest_distances(fake, train), nearest_distances(real, train)
    # discrete data may have median distance 0 on both sides: then the ratio is 1
    tiny = 1e-9 * (1 + float(np.abs(train).max()))
    rng = np.random.default_rng(seed)
    medians = [np.median(rng.choice(d, (_RESAMPLES, len(d))), axis=1) + tiny for d in (ours, theirs)]
    low, high = np.quantile(medians[0] / medians[1], [0.025, 0.975])
    value = float((np.median(ours) + tiny) / (np.median(theirs) + tiny))
    return Estimate(value, min(float(low), value), max(float(high), value))


def _count(x: Tensor, y: Tensor, k: int, chunk: int) -> _Counts:
    radii_x, radii_y = _radii(x, k, chunk), _radii(y, k, chunk)
    balls = torch.zeros(len(y), dtype=torch.int64)
    reached, recalled = torch.zeros(len(x), dtype=torch.bool), torch.zeros(len(x), dtype=torch.bool)
    for rows, d2 in distance_blocks(x, y, chunk):
        inside = d2 <= radii_x[rows, None]
        balls += inside.sum(0)
        reached[rows] = inside.any(1)
        recalled[rows] = (d2 <= radii_y).any(1)
    return _Counts(balls, reached, recalled)


def _radii(x: Tensor, k: int, chunk: int) -> Tensor:
    """Squared distance of each sample to its k-th nearest other one, shape (n,)."""
    return torch.cat([d2.topk(k + 1, largest=False).values[:, -1] for _, d2 in distance_blocks(x, x, chunk)])
