"""The Fréchet distance that infinitely many samples would have."""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch
from torch import Tensor

from ganwise.metrics import frechet
from ganwise.metrics.estimate import Z95, Array, Estimate, around, tensors
from ganwise.types import Unusable

LEVELS = (1, 2, 3, 4)
"""Into how many disjoint blocks the samples are cut: the bias at n / k samples is k times that at n."""

PER_FEATURE = max(LEVELS)
"""Samples for each feature: with fewer samples than features in a block the bias no longer goes as 1 / n."""


def fid_infinity(real: Array, fake: Array, seed: int = 0) -> Estimate:
    """The Fréchet distance extrapolated to n -> infinity: the intercept of a line through its values at n, n/2, n/3 and n/4.

    Features ``(n, F)``, as many on either side, at least 4 F. Both sides are cut into blocks in random order, so that the bias of
    both goes; the value at n/k is the mean over k disjoint blocks. Squared units of the features; about 0, on either side, for
    equal distributions.

    The interval has the delta method's error of the distance at n (to first order a mean over blocks has the same) and
    the error of the line's intercept.

    Source: chong2020unbiased, section 4, with disjoint blocks of both sides for random subsets of the fakes.
    """
    x, y = tensors(frechet.LEAST, real=real, fake=fake)
    n, width = x.shape
    if len(y) != n or n < PER_FEATURE * width:
        need = f"as many fakes as real samples, at least {PER_FEATURE} for each of {width} features"
        raise Unusable(f"fid_infinity needs {need}, not {len(y)} and {n}")
    whole = frechet.frechet_distance(real, fake)
    rng = np.random.default_rng(seed)
    x, y = (side[torch.from_numpy(rng.permutation(n))] for side in (x, y))
    values = np.array([_mean_over_blocks(x, y, blocks) for blocks in LEVELS])
    intercept, error = _intercept(np.array(LEVELS) / n, values)
    return around(intercept, sqrt(((whole.high - whole.value) / Z95) ** 2 + error**2))


def _mean_over_blocks(x: Tensor, y: Tensor, blocks: int) -> float:
    pairs = zip(x.tensor_split(blocks), y.tensor_split(blocks), strict=True)
    return float(np.mean([frechet.moments_distance(a.mean(0), a.T.cov(), b.mean(0), b.T.cov()) for a, b in pairs]))


def _intercept(at: Array, values: Array) -> tuple[float, float]:
    """Of the least-squares line, with its standard error."""
    design = np.stack([np.ones_like(at), at], 1)
    inverse = np.linalg.inv(design.T @ design)
    line = inverse @ design.T @ values
    residual = float(np.square(values - design @ line).sum()) / (len(at) - 2)
    return float(line[0]), sqrt(residual * float(inverse[0, 0]))
