"""The Parzen-window log-likelihood of 2014."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi, sqrt

import numpy as np
import torch
from torch import Tensor

from ganwise.metrics.estimate import Array, Estimate, around, distance_blocks, tensors

LEAST = 10
SIGMAS: tuple[float, ...] = tuple(float(sigma) for sigma in np.logspace(-1, 0, 10))
"""The authors' grid, for pixels in [0, 1]."""

FINE_SIGMAS: tuple[float, ...] = tuple(float(sigma) for sigma in np.logspace(-2, 0, 19))
"""The same grid carried on downwards: standardized vectors may be much denser than pixels."""

_CHUNK = 100  # float64 rows of 10,000 distances: 8 MB, and each sigma makes another copy


def parzen_log_likelihood(
    validation: Array, real: Array, fake: Array, sigmas: Sequence[float] = SIGMAS, chunk: int = _CHUNK
) -> Estimate:
    """Mean log-likelihood, in nats, of ``real`` ``(n, D)`` under Gaussian windows about ``fake`` ``(m, D)``.

    ``log p(x) = log 1/m sum_j exp(-|x - fake_j|^2 / (2 s^2)) - D/2 log(2 pi s^2)``, with the s of ``sigmas`` under which
    ``validation`` is likeliest, `parzen_sigma`. Pixels in [0, 1]. The interval is by the standard error over test points: the
    paper's ± (over n there, over n - 1 here).

    Blurry averages score far above real images: print it beside its yardsticks, never select by it.

    Source: goodfellow2014gan, section 5, and the authors' parzen_ll.py.
    """
    x, centers = tensors(LEAST, real=real, fake=fake)
    best = parzen_sigma(validation, fake, sigmas, chunk)
    each = _log_likelihoods(x, centers, [best], chunk)[0]
    return around(float(each.mean()), float(each.std()) / sqrt(len(each)))


def parzen_sigma(validation: Array, fake: Array, sigmas: Sequence[float] = SIGMAS, chunk: int = _CHUNK) -> float:
    """The one of ``sigmas`` under which ``validation`` ``(n, D)`` is likeliest: the first, where several are."""
    held_out, centers = tensors(LEAST, validation=validation, fake=fake)
    return sigmas[int(_log_likelihoods(held_out, centers, sigmas, chunk).mean(1).argmax())]


def _log_likelihoods(x: Tensor, centers: Tensor, sigmas: Sequence[float], chunk: int) -> Tensor:
    """Of each x under each sigma, shape (sigmas, n). The distances, which cost most, are shared."""
    m, width = centers.shape
    out = torch.empty(len(sigmas), len(x), dtype=torch.float64)
    for rows, d2 in distance_blocks(x, centers, chunk):
        d2 = d2.double()
        for s, sigma in enumerate(sigmas):
            out[s, rows] = (d2 / (-2 * sigma**2)).logsumexp(1) - log(m) - width / 2 * log(2 * pi * sigma**2)
    return out
