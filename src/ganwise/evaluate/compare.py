"""Scores of several draws become one; scores of different protocols refuse to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt

import numpy as np

from ganwise.metrics import Estimate
from ganwise.metrics.estimate import Z95
from ganwise.types import Score, Unusable


def mean_of_draws(estimates: Sequence[Estimate], bounds: tuple[float, float] = (-inf, inf)) -> Estimate:
    """The mean over draws of fakes. Its interval is as wide as one draw's, since all share the real side, and the scatter
    between draws comes on top."""
    values = [estimate.value for estimate in estimates]
    mean = float(np.mean(values))
    between = Z95 * float(np.std(values, ddof=1)) / sqrt(len(values)) if len(values) > 1 else 0.0
    below = float(np.mean([estimate.value - estimate.low for estimate in estimates]))
    above = float(np.mean([estimate.high - estimate.value for estimate in estimates]))
    low, high = mean - sqrt(below**2 + between**2), mean + sqrt(above**2 + between**2)
    return Estimate(mean, max(low, bounds[0]), min(high, bounds[1]))


def comparable(a: Score, b: Score) -> None:
    """``Unusable`` unless two scores may be compared: the same metric, features, n and protocol."""
    for field in ("metric", "features", "n", "protocol"):
        ours, theirs = getattr(a, field), getattr(b, field)
        if ours != theirs:
            raise Unusable(f"scores differ in {field} and can't be compared: {ours!r} and {theirs!r}; measure them alike")
