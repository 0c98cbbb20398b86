"""Perceptual path length: how far samples move for a small step in the latents."""

from __future__ import annotations

from math import sqrt

import numpy as np

from ganwise.metrics.estimate import Array, Estimate, around, check
from ganwise.types import Unusable

LEAST = 100
EPSILON = 1e-4
TRIM = 0.01
"""The share of the shortest and of the longest steps that is left out."""


def path_length(first: Array, second: Array, epsilon: float = EPSILON, trim: float = TRIM) -> Estimate:
    """Mean of ``|f(G(z_t)) - f(G(z_{t + epsilon}))|^2 / epsilon^2`` over pairs.

    ``first`` and ``second`` ``(N, F)`` are features of the two ends of each step, row by row. Squared units of the features per
    squared unit of the path. The shares ``trim`` at either end of the order are left out, as in the authors' code; the
    interval is the trimmed mean's, by the winsorized variance.

    Short paths belong to smooth generators; a generator that ignores its latents has length 0: never judge by it alone.

    Source: karras2019stylegan, equations 2 and 3, with the features' squared distance for their perceptual one.
    """
    check(LEAST, first=first, second=second)
    if len(first) != len(second):
        raise Unusable(f"path length compares pairs: {len(first)} first ends and {len(second)} second ends are none")
    if not (epsilon > 0 and 0 <= trim < 0.5):
        raise Unusable(f"path length needs epsilon above 0 and trim in [0, .5), not {epsilon} and {trim}")
    steps = np.square(first.astype(np.float64) - second.astype(np.float64)).sum(1) / epsilon**2
    ordered = np.sort(steps)
    n, cut = len(ordered), int(trim * len(ordered))
    kept = ordered[cut : n - cut]
    winsorized = np.clip(ordered, kept[0], kept[-1])
    error = float(winsorized.std(ddof=1)) / ((1 - 2 * cut / n) * sqrt(n))
    return around(float(kept.mean()), error, least=0.0)
