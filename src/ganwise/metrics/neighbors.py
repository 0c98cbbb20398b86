"""Metrics of nearest neighbors: precision, recall, density, coverage, and memorization."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganwise.metrics.estimate import CHUNK, Array, Estimate, around, check, distance_blocks, tensors, wilson, working_dtype

LEAST = 25
LEAST_MEMORIZATION = 10
Distances = npt.NDArray[np.float64]
K = 5

_PIECE = 5000
_RESAMPLES = 500


class Neighborhood(NamedTuple):
    """How two sets lie among each other's nearest neighbors."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


class _Tally(NamedTuple):
    """Of the points of one side, in balls about the points of the other: how many balls hold each, and the sum of their numbers.

    Where one ball alone holds a point, that sum is its number.
    """

    balls: Tensor
    owner: Tensor

    @classmethod
    def empty(cls, n: int) -> _Tally:
        return cls(torch.zeros(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64))

    def add(self, rows: slice, inside: Tensor, start: int = 0) -> None:
        """``inside`` (points, balls), its first ball numbered ``start``."""
        ones = torch.ones(inside.shape[1])
        both = inside @ torch.stack([ones, torch.arange(start, start + len(ones), dtype=torch.float32)], 1)
        self.balls[rows] += both[:, 0]
        self.owner[rows] += both[:, 1]


def precision_recall_density_coverage(real: Array, fake: Array, k: int = K, chunk: int = CHUNK) -> Neighborhood:
    """Shares of samples inside the k-nearest-neighbor balls of the other set, features ``(n, F)`` and ``(m, F)``.

    With B(x) the closed ball about x that reaches its k-th nearest neighbor in x's own set:
    precision: share of fakes in any B(real);  recall: share of reals in any B(fake);
    density: ``1/(k m) sum_{fake, real} 1[fake in B(real)]``, over 1 where fakes crowd where reals are dense;
    coverage: share of reals whose B(real) holds a fake.
    Depends on n : m (compare at equal n). Precision and density rise under blur: never judge by them alone.

    Intervals hold the scatter of both sides, radii fixed: of a share, the binomial one of its own side, and that of the other
    side's balls, by the pairs of points that one ball alone holds (they are lost together), in Wilson's form; of density, the
    two terms of a two-sample mean.

    Source: kynkaanniemi2019precision, eq. 1 to 3 (precision, recall); naeem2020density, eq. 3 and 4 (density, coverage).
    """
    x, y = tensors(max(LEAST, k + 1), real=real, fake=fake)
    n, m = len(x), len(y)
    # here, so that the float64 copies go before the work begins
    x, y = (side.to(working_dtype(n, m, x.shape[1])) for side in (x, y))
    radii_x, radii_y = _radii(x, k, chunk), _radii(y, k, chunk)
    held, holding, recalled = _Tally.empty(m), _Tally.empty(n), _Tally.empty(n)
    for rows, d2 in distance_blocks(x, y, chunk):
        inside = (d2 <= radii_x[rows, None]).float()
        held.add(slice(0, m), inside.T, rows.start)
        holding.add(rows, inside)
        recalled.add(rows, (d2 <= radii_y).float())
    return Neighborhood(_share(held, n), _share(recalled, m), _density(held.balls, holding.balls, k), _share(holding, m))


def nearest_distances(samples: Array, among: Array, chunk: int = CHUNK) -> Distances:
    """Euclidean distance of each of ``samples`` ``(n, D)`` to the nearest of ``among`` ``(m, D)``, shape (n,)."""
    check(1, samples=samples, among=among)
    x = torch.from_numpy(samples.astype(np.float64))
    nearest = torch.full((len(x),), torch.inf, dtype=torch.float64)
    # a training part may be large, and may lie on disk: only a piece of it is float64 at a time
    for i in range(0, len(among), _PIECE):
        for rows, d2 in distance_blocks(x, torch.from_numpy(among[i : i + _PIECE].astype(np.float64)), chunk):
            nearest[rows] = nearest[rows].minimum(d2.amin(1).double())
    distances: Distances = nearest.sqrt().numpy()
    return distances


class HeldOut(NamedTuple):
    """Of each real sample that was not trained on, the distance to the nearest training sample, and to the nearest other one."""

    to_train: Distances
    to_others: Distances


class Copying(NamedTuple):
    """Whether fakes repeat what the generator was trained on."""

    memorization: Estimate
    novelty: Estimate


def held_out(train: Array, real: Array) -> HeldOut:
    """What `copying` holds fakes against, samples ``(N, D)``: it does not depend on them."""
    others = _radii(torch.from_numpy(real.astype(np.float64)), 1, CHUNK).sqrt().numpy()
    return HeldOut(nearest_distances(real, train), others)


def copying(train: Array, real: Array, fake: Array, seed: int = 0, known: HeldOut | None = None) -> Copying:
    """Distances of fakes to their nearest training sample, d(fake, train), against those of held-out real samples.

    Samples ``(N, D)`` as they are, without features, in any one unit. Intervals are bootstraps over samples. ``known`` is
    ``held_out(train, real)`` where that has been computed before.

    memorization: median d(fake, train) / median d(real, train). About 1 where fakes are as near to the training data as new real
    samples are; under 0.95 the generator repeats its training data; 0 for copies; large for noise.
    novelty: ``[med d(fake, train) / med d(fake, real)] / [med d(real, train) / med d(real, other real)]``, whether fakes lie
    nearer to training samples than to unseen ones, as unseen real samples do not. 1 where training samples are nothing special,
    0 for copies. Unlike memorization it is not fooled by blur: an average image is near to everything, seen or not.
    """
    check(LEAST_MEMORIZATION, train=train, real=real, fake=fake)
    theirs, near = known or held_out(train, real), nearest_distances(fake, train)
    ours = [near, nearest_distances(fake, real)]
    return Copying(_ratio([near], [theirs.to_train], train, seed), _ratio(ours, list(theirs), train, seed))


def memorization(train: Array, real: Array, fake: Array, seed: int = 0) -> Estimate:
    """The first of `copying`."""
    return copying(train, real, fake, seed).memorization


def novelty(train: Array, real: Array, fake: Array, seed: int = 0) -> Estimate:
    """The second of `copying`."""
    return copying(train, real, fake, seed).novelty


def _ratio(ours: list[Distances], theirs: list[Distances], train: Array, seed: int) -> Estimate:
    """The quotient of medians of ``ours``, over that of ``theirs``; each side is resampled as whole samples."""
    # discrete data may have median distance 0 on both sides: then the ratio is 1
    tiny = 1e-9 * (1 + float(np.abs(train).max()))
    rng = np.random.default_rng(seed)

    def quotient(side: list[Distances], rows: npt.NDArray[np.intp]) -> Distances:
        first, *rest = (np.median(distances[rows], axis=-1) + tiny for distances in side)
        found: Distances = first / rest[0] if rest else first
        return found

    whole, drawn = [], []
    for side in (ours, theirs):
        n = len(side[0])
        whole.append(float(quotient(side, np.arange(n))))
        drawn.append(quotient(side, rng.integers(n, size=(_RESAMPLES, n))))
    low, high = np.quantile(drawn[0] / drawn[1], [0.025, 0.975])
    value = whole[0] / whole[1]
    return Estimate(value, min(float(low), value), max(float(high), value))


def _share(tally: _Tally, others: int) -> Estimate:
    """The share of points in any of the others' balls."""
    n = len(tally.balls)
    p = float((tally.balls > 0).double().mean())
    alone = tally.owner[tally.balls == 1].long().bincount(minlength=others).double() / n
    # pairs of different points only: that single points come and go is in the binomial term already
    variance = p * (1 - p) / n + float((alone * (alone - 1 / n)).sum())
    return wilson(p, p * (1 - p) / variance if 0 < p < 1 else n / 2)


def _density(of_fakes: Tensor, of_reals: Tensor, k: int) -> Estimate:
    """From the number of real balls about each fake, and of fakes in each real ball."""
    n, m = len(of_reals), len(of_fakes)
    by_fake, by_real = of_fakes / k, of_reals * n / (k * m)
    variance = max(float(by_fake.var() / m + by_real.var() / n), float(2 * by_fake.var() / m))
    return around(float(by_fake.mean()), sqrt(variance), least=0.0)


def _radii(x: Tensor, k: int, chunk: int) -> Tensor:
    """Squared distance of each sample to its k-th nearest other one, shape (n,)."""
    return torch.cat([d2.topk(k + 1, largest=False).values[:, -1] for _, d2 in distance_blocks(x, x, chunk)])
