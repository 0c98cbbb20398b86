"""How many known modes a generator finds, and how evenly it fills them."""

from __future__ import annotations

from math import comb, log, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ganwise.metrics.estimate import Array, Estimate, around
from ganwise.types import Unusable

LEAST = 25
WITHIN = 3.0
"""Standard deviations from its center within which a sample lies in a mode."""

_RARE = 9  # a mode with more samples than that is there in every repetition


class ModeCoverage(NamedTuple):
    """How many modes hold a sample, and the divergence of the generator's shares from the data's, in nats."""

    modes: Estimate
    mode_kl: Estimate


def nearest_mode(points: Array, centers: Array, sd: float, within: float = WITHIN) -> npt.NDArray[np.int64]:
    """Rows (mode, 0 or 1) ``(N, 2)``: the nearest of ``centers`` ``(K, D)``, and whether it is ``within`` deviations.

    Points ``(N, D)``, in the units of the centers. ``sd`` is that of one coordinate, as in the toys' definitions.
    """
    if points.ndim != 2 or points.shape[1:] != centers.shape[1:]:
        raise Unusable(f"points of shape {points.shape} have no distance to centers of shape {centers.shape}")
    if not np.isfinite(points).all():
        raise Unusable("points: hold NaN or infinity; they lie in no mode")
    # one center at a time: thousands of modes times 10,000 points would not fit
    best, nearest = np.full(len(points), np.inf), np.zeros(len(points), np.int64)
    for mode, center in enumerate(np.asarray(centers, np.float64)):
        d2 = np.square(points - center).sum(1)
        nearest[d2 < best] = mode
        best = np.minimum(best, d2)
    return np.stack([nearest, (best <= (within * sd) ** 2).astype(np.int64)], 1)


def classified(logits: Array) -> npt.NDArray[np.int64]:
    """Rows (mode, 1) ``(N, 2)``: the class that a classifier names, from logits ``(N, K)``. Every sample counts."""
    named = np.argmax(logits, axis=1)
    return np.stack([named, np.ones_like(named)], 1)


def mode_coverage(assigned: Array, shares: Array) -> ModeCoverage:
    """Modes found, and KL(generator || data) of the shares of modes.

    ``assigned`` ``(N, 2)``: of each sample the nearest mode, and whether it lies there. A mode is found when at least one sample
    lies there. The divergence takes every sample at its nearest mode: ``sum_k p_k log(p_k / q_k)``, q the data's ``shares``
    ``(K,)``, uniform for the toys. Above 0 for a perfect generator by about (K - 1) / (2 N): compare at equal N only.

    Intervals hold the scatter of the samples. Of the count: by what a second set as large would add (Good and Toulmin's
    estimate, smoothed), never less than rare modes alone tell; it has hardly a width where every mode holds many samples, and
    errs on the wide side where only a few are rare. Of the divergence: the delta method's, and the scatter of its second order,
    all that a perfect generator's has.

    Source: metz2017unrolled and srivastava2017veegan (the count), lin2018pacgan (the divergence), efron1976unseen (the interval).
    """
    n, k = len(assigned), len(shares)
    if n < LEAST:
        raise Unusable(f"fake: {n} samples are too few for this metric; it needs at least {LEAST}")
    mode, good = assigned[:, 0], assigned[:, 1] > 0
    if mode.min() < 0 or mode.max() >= k:
        raise Unusable(f"modes must be numbers from 0 to {k - 1}, not from {mode.min()} to {mode.max()}")
    counts = np.bincount(mode[good], minlength=k)
    found = around(float((counts > 0).sum()), sqrt(_scatter(counts, n)), least=0.0)
    p, q = np.bincount(mode, minlength=k) / n, np.asarray(shares, np.float64) / np.sum(shares)
    return ModeCoverage(found._replace(high=min(found.high, float(k))), _divergence(p, q, n))


def _scatter(counts: npt.NDArray[np.int64], n: int) -> float:
    """Variance of the number of modes found: of Poisson counts, what doubling the samples would add to it; of n samples, less.

    ``sum_k e^-c (1 - e^-c)``, c the expected counts, is ``f_1 - f_2 + f_3 - ...`` with f_j the number of modes with j samples;
    terms are weighted down as Efron and Thisted do, since modes with many samples say nothing of those without any. Where few
    modes are rare that sum may be 0 by chance. So it is at least ``f_1 log 2``, its value where c is spread evenly in its
    logarithm, and at least the sum with the counts for their expectations. That n is given takes ``(sum_k c e^-c)^2 / n`` off.
    """
    weights = [sum(comb(_RARE, i) for i in range(j, _RARE + 1)) / 2**_RARE for j in range(1, _RARE + 1)]
    rare = np.bincount(counts[(counts > 0) & (counts <= _RARE)], minlength=_RARE + 1)[1:]
    added = float(sum((-1) ** j * w * f for j, (w, f) in enumerate(zip(weights, rare, strict=True))))
    absent = np.exp(-counts.astype(np.float64))
    once = float(rare[0])
    return max(max(added, log(2) * once, float((absent * (1 - absent)).sum())) - once**2 / n, 0.0)


def _divergence(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64], n: int) -> Estimate:
    held = p > 0
    with np.errstate(divide="ignore"):
        ratios = np.log(p[held] / q[held])
    value = float(p[held] @ ratios)
    if not np.isfinite(value):
        raise Unusable("mode_kl: the generator fills a mode of which the data has none; the divergence is infinite")
    first = max(float(p[held] @ np.square(ratios)) - value**2, 0.0) / n
    second = (int(held.sum()) - 1) / (2 * n**2)
    return around(value, sqrt(first + second), least=0.0)
