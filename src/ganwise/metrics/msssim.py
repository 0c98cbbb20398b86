"""Multi-scale structural similarity, and the diversity of a generator by it."""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganwise.metrics.estimate import Array, Estimate, around
from ganwise.types import Unusable

LEAST = 50
PAIRS = 1000
WINDOW, SIGMA = 11, 1.5
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, from the finest."""

_C1, _C2 = 0.01**2, 0.03**2
_BATCH = 1 << 22  # pixels of one side at a time: five maps of 32 MB in float64


def scales_of(side: int) -> int:
    """How many scales an image of ``side`` pixels, its shorter one, has room for: the window must fit into the coarsest."""
    return sum(side >> scale >= WINDOW for scale in range(len(WEIGHTS)))


def ms_ssim(fake: Array, pairs: int = PAIRS, seed: int = 0) -> Estimate:
    """Mean multi-scale structural similarity of random pairs of fakes; lower is more diverse.

    Images ``(N, H, W, C)``, ``uint8`` or in [0, 1]; at most ``pairs`` pairs, none of which share an image, so that the interval
    is that of a mean. Read it beside what real images have: above theirs a generator repeats itself, below may well be noise.

    Source: odena2017acgan, section 4.2.
    """
    if fake.ndim != 4 or len(fake) < LEAST or not np.isfinite(fake).all():
        raise Unusable(f"ms_ssim needs at least {LEAST} images (N, H, W, C) without NaN or infinity, not {fake.shape}")
    count = min(pairs, len(fake) // 2)
    order = np.random.default_rng(seed).permutation(len(fake))[: 2 * count]
    size = max(1, _BATCH // int(np.prod(fake.shape[1:])))
    found = []
    for i in range(0, count, size):
        x, y = (_images(fake[order[first + i : first + min(i + size, count)]]) for first in (0, count))
        found.append(similarity(x, y))
    each = torch.cat(found)
    return around(float(each.mean()), float(each.std()) / sqrt(count))


def similarity(x: Tensor, y: Tensor, scales: int | None = None) -> Tensor:
    """MS-SSIM of each pair of images ``(B, C, H, W)`` in [0, 1], shape (B,): at most 1, which equal images have.

    ``prod_{s < S} cs_s^w_s  ssim_S^w_S`` of means over channels and windows, s halving the size, negative means taken as 0.
    Images without room for five scales have as many as fit, with the first weights rescaled to sum 1.

    Source: wang2003msssim, equation 7, as computed in their code: the last scale's luminance and structure are one mean.
    """
    if scales is None:
        scales = scales_of(min(x.shape[2:]))
    if not 1 <= scales <= scales_of(min(x.shape[2:])):
        raise Unusable(f"structural similarity at {max(scales, 1)} scales has no room in images of {min(x.shape[2:])} pixels")
    weights = torch.tensor(WEIGHTS[:scales], dtype=x.dtype) / sum(WEIGHTS[:scales])
    out = torch.ones(len(x), dtype=x.dtype)
    for scale, weight in enumerate(weights):
        if scale:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        whole, contrast = _at_one_scale(x, y)
        out *= (whole if scale == scales - 1 else contrast).clamp(min=0) ** weight
    return out


def _at_one_scale(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Means (B,) of the structural similarity, and of its contrast and structure alone."""
    mx, my, xx, yy, xy = _blurred(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
    vx, vy, cov = (xx - mx * mx).clamp(min=0), (yy - my * my).clamp(min=0), xy - mx * my
    contrast = (2 * cov + _C2) / (vx + vy + _C2)
    luminance = (2 * mx * my + _C1) / (mx * mx + my * my + _C1)
    return (luminance * contrast).mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _blurred(x: Tensor) -> Tensor:
    """Gaussian windows, only where they lie inside the image."""
    line = torch.exp(-((torch.arange(WINDOW, dtype=x.dtype) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    line /= line.sum()
    blurred = F.conv2d(F.conv2d(x.flatten(0, 1)[:, None], line[None, None, :, None]), line[None, None, None, :])
    return blurred.view(*x.shape[:2], *blurred.shape[2:])


def _images(values: Array) -> Tensor:
    scale = 255 if values.dtype == np.uint8 else 1
    return torch.from_numpy(np.ascontiguousarray(values, np.float64) / scale).permute(0, 3, 1, 2)
