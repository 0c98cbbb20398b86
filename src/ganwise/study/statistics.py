"""Who is better, and is it certain: means over seeds with intervals, and ties where the difference may be chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Standing(NamedTuple):
    """A candidate's place: the mean over its seeds, a 95 % interval of it, and with whom it may be tied."""

    name: str
    rank: int
    mean: float
    low: float
    high: float
    tied_with: tuple[str, ...]


def t_tail(t: float, df: int) -> float:
    """P(|T| > t) for Student's T, by quadrature of its density after the substitution T = sqrt(df) tan(angle)."""
    angle = np.linspace(math.atan(abs(t) / math.sqrt(df)), math.pi / 2, 20_001)
    constant = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)
    return float(2 * constant * np.trapezoid(np.cos(angle) ** (df - 1), angle))


def t_quantile(tail: float, df: int) -> float:
    """t with P(|T| > t) = tail, by bisection."""
    low, high = 0.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, df) > tail else (low, middle)
    return high


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for many comparisons. Source: holm1979, the sequentially rejective procedure."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected, running = [0.0] * len(p), 0.0
    for place, i in enumerate(order):
        running = max(running, (len(p) - place) * p[i])
        corrected[i] = min(1.0, running)
    return corrected


def rank(values: Mapping[str, Sequence[float]], lower_is_better: bool, noise: float, level: float = 0.05) -> list[Standing]:
    """Candidates from best to worst by the mean over seeds of the log of their score.

    Scores such as KID vary in proportion to their size, so they are compared as log(score + noise), where ``noise`` is the
    size of score that the test set itself can't tell from zero. The deviation between seeds is pooled over candidates:
    two or three seeds of one alone say next to nothing. A tie means: after Holm's correction no difference at ``level``.
    With a single seed everywhere nothing can be told apart, and all are tied.
    """
    logs = {name: np.log(np.maximum(np.asarray(v, float), 0) + noise) for name, v in values.items()}
    order = sorted(logs, key=lambda name: logs[name].mean() * (1 if lower_is_better else -1))
    df = sum(len(v) - 1 for v in logs.values())
    pooled = math.sqrt(sum(((v - v.mean()) ** 2).sum() for v in logs.values()) / df) if df else math.inf
    reach = t_quantile(level, df) * pooled if df else math.inf

    def p_value(a: str, b: str) -> float:
        difference = abs(logs[a].mean() - logs[b].mean())
        error = pooled * math.sqrt(1 / len(logs[a]) + 1 / len(logs[b]))
        return t_tail(difference / error, df) if error > 0 and math.isfinite(error) else float(not math.isfinite(error))

    pairs = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    tied = {pair for pair, p in zip(pairs, holm([p_value(*pair) for pair in pairs]), strict=True) if p >= level}
    standings = []
    for place, name in enumerate(order, 1):
        mean, half = logs[name].mean(), reach / math.sqrt(len(logs[name]))
        low, high = (math.exp(min(mean + s * half, 700)) - noise for s in (-1, 1))
        others = tuple(o for o in order if (name, o) in tied or (o, name) in tied)
        standings.append(Standing(name, place, float(np.mean(values[name])), max(low, 0.0), high, others))
    return standings
