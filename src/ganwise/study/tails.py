"""Tails of Student's T and of Fisher's F, without SciPy."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np


def f_tail(f: float, above: int, below: int) -> float:
    """P(F > f) with ``above`` and ``below`` degrees of freedom: Simpson's rule after F = below / above * tan(angle) ** 2."""
    angle, step = np.linspace(math.atan(math.sqrt(f * above / below)), math.pi / 2, 801, retstep=True)
    density = np.sin(angle) ** (above - 1) * np.cos(angle) ** (below - 1)
    simpson = density[0] + density[-1] + 4 * density[1:-1:2].sum() + 2 * density[2:-1:2].sum()
    constant = math.exp(math.lgamma((above + below) / 2) - math.lgamma(above / 2) - math.lgamma(below / 2))
    return float(2 * constant * simpson * step / 3)


def t_tail(t: float, df: int) -> float:
    """P(|T| > t) for Student's T, whose square is F with one degree of freedom above."""
    return f_tail(t * t, 1, df)


@lru_cache(1024)
def t_quantile(tail: float, df: int) -> float:
    """t with P(|T| > t) = tail, by bisection."""
    low, high = 0.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, df) > tail else (low, middle)
    return high
