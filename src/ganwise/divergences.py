"""The f-divergences: one row each, from which the f-GAN loss is made.

D_f(p || q) = E_q f(p/q) >= E_p T - E_q f*(T), with equality at T = f'(p/q) (nowozin2016fgan, equation 4). A critic's raw output v
becomes T = g_f(v), which lands in the domain of f*. Every function here is exact while |v| <= `RANGE`; beyond it e^v
continues as a line of the same slope, so that value and gradient stay finite and the gradient never vanishes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

RANGE = 12.0
"""Scores up to which the formulas are exact: e^12 still leaves float32 sums of a batch accurate."""

Function = Callable[[Tensor], Tensor]


class Divergence(NamedTuple):
    """A row: f of the ratio u = p/q, the activation g_f(v), its conjugate f*(g_f(v)), the optimal T(u), and f'(1)."""

    f: Function
    activation: Function
    conjugate: Function  # of the raw score v: f*(g_f(v)), composed so that no intermediate overflows
    optimal: Function
    threshold: float  # the raw score v at which T = f'(1): real lies above


def exp(v: Tensor) -> Tensor:
    """e^v up to `RANGE`, then the tangent there."""
    below = v.clamp(max=RANGE)
    return torch.exp(below) * (1 + (v - below))


DIVERGENCES: dict[str, Divergence] = {
    "gan": Divergence(
        f=lambda u: u * torch.log(u) - (u + 1) * torch.log(u + 1),
        activation=lambda v: -softplus(-v),
        conjugate=softplus,  # -log(1 - e^t) at t = -sp(-v)
        optimal=lambda u: torch.log(u / (u + 1)),
        threshold=0.0,
    ),
    "jensen-shannon": Divergence(
        f=lambda u: u * torch.log(u) - (u + 1) * torch.log((u + 1) / 2),
        activation=lambda v: math.log(2) - softplus(-v),
        conjugate=lambda v: softplus(v) - math.log(2),  # -log(2 - e^t) at t = log 2 - sp(-v)
        optimal=lambda u: torch.log(2 * u / (u + 1)),
        threshold=0.0,
    ),
    "kl": Divergence(
        f=lambda u: u * torch.log(u),
        activation=lambda v: v,
        conjugate=lambda v: exp(v - 1),
        optimal=lambda u: 1 + torch.log(u),
        threshold=1.0,
    ),
    "squared-hellinger": Divergence(
        f=lambda u: (torch.sqrt(u) - 1) ** 2,
        activation=lambda v: 1 - exp(-v),
        conjugate=lambda v: exp(v) - 1,  # t / (1 - t) at t = 1 - e^-v
        optimal=lambda u: 1 - 1 / torch.sqrt(u),
        threshold=0.0,
    ),
    "pearson": Divergence(
        f=lambda u: (u - 1) ** 2,
        activation=lambda v: v,
        conjugate=lambda v: v**2 / 4 + v,
        optimal=lambda u: 2 * (u - 1),
        threshold=0.0,
    ),
}
