"""The f-divergences: one row each, from which the f-GAN loss is made.

D_f(p || q) = E_q f(p/q) >= E_p T - E_q f*(T), with equality at T = f'(p/q) (nowozin2016fgan, equation 4). A critic's raw score v
becomes T = g_f(v), which lands in the domain of f*. Every function here is exact while `low` <= v <= `high` and goes on beyond as
its tangent there, so that value and gradient stay finite and the gradient never vanishes. Beyond its range a row is no bound any
more: the tangent leaves the domain of f*, by as little as its slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu, softplus

RANGE = 12.0
"""Scores up to which most rows are exact: e^12 still leaves float32 sums of a batch accurate."""

Function = Callable[[Tensor], Tensor]


class Divergence(NamedTuple):
    """A row: f of the ratio u = p/q, T = g_f(v) and f*(g_f(v)) of the raw score v, the optimal T(u), and where real begins."""

    f: Function
    activation: Function
    conjugate: Function  # of the raw score v: f*(g_f(v)), composed so that no intermediate overflows
    optimal: Function
    threshold: float  # the raw score v at which T = f'(1): real lies above
    low: float = -RANGE
    high: float = RANGE

    def continued(self) -> Divergence:
        """The row with tangents beyond its range."""
        activation, conjugate = (tangents(each, self.low, self.high) for each in (self.activation, self.conjugate))
        return self._replace(activation=activation, conjugate=conjugate)


def slope(function: Function, v: float) -> float:
    """The derivative of a function at a point; 0 at infinity, where nobody goes."""
    if math.isinf(v):
        return 0.0
    at = torch.tensor(v, dtype=torch.float64, requires_grad=True)
    return float(torch.autograd.grad(function(at), at)[0])


def tangents(function: Function, low: float, high: float) -> Function:
    """The function from ``low`` to ``high``, and its tangents there below and above."""
    falling, rising = slope(function, low), slope(function, high)
    return lambda v: function(v.clamp(low, high)) + rising * relu(v - high) - falling * relu(low - v)


def jeffreys_conjugate(t: Tensor) -> Tensor:
    """f*(t) = u + log u - 1 at the u where f'(u) = 1 + log u - 1/u = t; in Lambert's W, 1/u = W(e^(1-t)).

    Newton's method for s = log u, from below, whence it converges for every t because f' is concave in s; the last step is taken
    with the graph, which makes the gradient exact.
    """

    def newton(s: Tensor) -> Tensor:
        return s + (t - 1 - s + torch.exp(-s)) / (1 + torch.exp(-s))

    with torch.no_grad():
        s = torch.maximum(t - 1, -torch.log1p(relu(-t)))
        for _ in range(6):
            s = newton(s)
    s = newton(s)
    return torch.exp(s) + s - 1


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
        conjugate=lambda v: torch.exp(v - 1),
        optimal=lambda u: 1 + torch.log(u),
        threshold=1.0,
    ),
    "reverse-kl": Divergence(
        f=lambda u: -torch.log(u),
        activation=lambda v: -torch.exp(-v),
        conjugate=lambda v: v - 1,  # -1 - log(-t) at t = -e^-v
        optimal=lambda u: -1 / u,
        threshold=0.0,
    ),
    "pearson": Divergence(
        f=lambda u: (u - 1) ** 2,
        activation=lambda v: v,
        conjugate=lambda v: v**2 / 4 + v,
        optimal=lambda u: 2 * (u - 1),
        threshold=0.0,
        low=-math.inf,  # squares need no tangents, and they would cut off ratios above 7
        high=math.inf,
    ),
    "neyman": Divergence(
        f=lambda u: (1 - u) ** 2 / u,
        activation=lambda v: 1 - torch.exp(-v),
        conjugate=lambda v: 2 - 2 * torch.exp(-v / 2),  # 2 - 2 sqrt(1 - t) at t = 1 - e^-v
        optimal=lambda u: 1 - 1 / u**2,
        threshold=0.0,
    ),
    "squared-hellinger": Divergence(
        f=lambda u: (torch.sqrt(u) - 1) ** 2,
        activation=lambda v: 1 - torch.exp(-v),
        conjugate=lambda v: torch.exp(v) - 1,  # t / (1 - t) at t = 1 - e^-v
        optimal=lambda u: 1 - 1 / torch.sqrt(u),
        threshold=0.0,
    ),
    "jeffreys": Divergence(
        f=lambda u: (u - 1) * torch.log(u),
        activation=lambda v: v,
        conjugate=jeffreys_conjugate,
        optimal=lambda u: 1 + torch.log(u) - 1 / u,
        threshold=0.0,
        low=-math.inf,  # there f* falls like a logarithm, with slope 1/|v|
    ),
    "total-variation": Divergence(
        f=lambda u: (u - 1).abs() / 2,
        # tanh(v) / 2 as a logistic function of 2v, whose gradient does not round to zero
        activation=lambda v: torch.exp(logsigmoid(2 * v)) - 0.5,
        conjugate=lambda v: torch.exp(logsigmoid(2 * v)) - 0.5,
        optimal=lambda u: torch.sign(u - 1) / 2,
        threshold=0.0,
        low=-RANGE / 2,  # because of the 2v; T comes within 7e-6 of its bound
        high=RANGE / 2,
    ),
}
DIVERGENCES = {name: row.continued() for name, row in DIVERGENCES.items()}

BETWEEN_GAUSSIANS: dict[str, Callable[[float], float]] = {
    "kl": lambda m: m**2 / 2,
    "reverse-kl": lambda m: m**2 / 2,
    "pearson": lambda m: math.expm1(m**2),
    "neyman": lambda m: math.expm1(m**2),
    "squared-hellinger": lambda m: -2 * math.expm1(-(m**2) / 8),
    "jeffreys": lambda m: m**2,
    "total-variation": lambda m: math.erf(abs(m) / math.sqrt(8)),
    "wasserstein": abs,
}
"""Divergences between two normal distributions of variance 1 whose means lie m apart, where a closed form exists."""
