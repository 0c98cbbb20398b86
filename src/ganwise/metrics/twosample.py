"""The classifier two-sample test: can a classifier tell fakes from real samples?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganwise.metrics.estimate import CHUNK, Array, Estimate, distance_blocks, tensors, wilson

LEAST = 25
MOST = 2_500
"""Samples of a side that are looked at: the interval is then 3 points wide, and the cost grows with the square."""


def two_sample(real: Array, fake: Array, most: int = MOST, seed: int = 0, chunk: int = CHUNK) -> Estimate:
    """Accuracy of the nearest-neighbor classifier between real and fake samples, each left out in its turn.

    Features ``(n, F)`` and ``(m, F)``; as many of either side, at most ``most``, drawn at random. 0.5: indistinguishable; 1:
    every sample's nearest neighbor is of its own side. *Below* 0.5 fakes sit on top of single real samples: copies of them.

    The interval is Wilson's, of fewer samples than there are, since some are right or wrong together: those that are each
    other's nearest neighbors always, those that share one where the sides differ.

    Source: lopezpaz2017twosample, section 3, with the leave-one-out nearest neighbor as classifier (section 4.1, "C2ST-KNN").
    """
    sides = tensors(LEAST, real=real, fake=fake)
    n, rng = min(most, *map(len, sides)), np.random.default_rng(seed)
    both = torch.cat([side[torch.from_numpy(rng.permutation(len(side))[:n])] for side in sides])
    nearest = _nearest(both, chunk)
    right = ((nearest < n) == (torch.arange(2 * n) < n)).double()
    return wilson(float(right.mean()), _effective(right, nearest))


def _effective(right: Tensor, nearest: Tensor) -> float:
    """How many independent samples would scatter as much."""
    n = len(right)
    r = right - right.mean()
    own = r.square()
    if not float(own.sum()):
        return n / 2  # all right: the pairs' share is not seen
    mutual = own[nearest[nearest] == torch.arange(n)].sum()
    shared = torch.zeros_like(r).index_add_(0, nearest, r).square().sum() - own.sum()
    return float(n * own.sum() / (own.sum() + mutual + shared.clamp(min=0)))


def _nearest(x: Tensor, chunk: int) -> Tensor:
    """The number of each sample's nearest other one, shape (N,); between equally near ones, a fixed lottery decides.

    Real samples come first: with copies among them, the first of several at distance 0 would always be a real one.
    """
    lots = torch.from_numpy(np.random.default_rng(0).permutation(len(x)))
    found = torch.empty(len(x), dtype=torch.long)
    for rows, d2 in distance_blocks(x[lots], x[lots], chunk):
        own = torch.arange(rows.start, rows.start + len(d2))
        d2[torch.arange(len(d2)), own] = torch.inf
        found[lots[rows]] = lots[d2.argmin(1)]
    return found
