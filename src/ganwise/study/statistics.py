"""Who is better, and is it certain: means over seeds with intervals, and ties where the difference may be chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Standing(NamedTuple):
    """A candidate's place: the mean over its seeds on the log scale that ranks, a 95 % interval of it, with whom it may be tied.

    The interval is None where no candidate has a second seed: then nothing is known of how much seeds differ.
    """

    name: str
    rank: int
    mean: float
    low: float | None
    high: float | None
    tied_with: tuple[str, ...]


def t_tail(t: float, df: int) -> float:
    """P(|T| > t) for Student's T, by quadrature of its density after the substitution T = sqrt(df) tan(angle)."""
    angle, step = np.linspace(math.atan(abs(t) / math.sqrt(df)), math.pi / 2, 2001, retstep=True)
    density = np.cos(angle) ** (df - 1)
    simpson = density[0] + density[-1] + 4 * density[1:-1:2].sum() + 2 * density[2:-1:2].sum()
    constant = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)
    return float(2 * constant * simpson * step / 3)


def t_quantile(tail: float, df: int) -> float:
    """t with P(|T| > t) = tail, by bisection."""
    low, high = 0.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, df) > tail else (low, middle)
    return high


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for many comparisons. Source: holm1979sequential, the sequentially rejective procedure."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected, running = [0.0] * len(p), 0.0
    for place, i in enumerate(order):
        running = max(running, (len(p) - place) * p[i])
        corrected[i] = min(1.0, running)
    return corrected


def rank(values: Mapping[str, Sequence[float]], lower_is_better: bool, noise: float, level: float = 0.05) -> list[Standing]:
    """Candidates from best to worst by the mean over seeds of the log of their score.

    Scores such as KID vary in proportion to their size, so they are compared as log(score + noise), where ``noise`` is the
    size of score that the test set itself can't tell from zero. A tie means: after Holm's correction no difference at ``level``.
    With a single seed everywhere nothing can be told apart, and all are tied.
    """
    logs = {name: np.log(np.maximum(np.asarray(v, float), 0) + noise) for name, v in values.items()}
    order = sorted(logs, key=lambda name: logs[name].mean() * (1 if lower_is_better else -1))
    errors, df = _errors(logs)
    pairs = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    p = [_p_value(logs[a].mean() - logs[b].mean(), math.hypot(errors[a], errors[b]), df) for a, b in pairs]
    tied = {pair for pair, value in zip(pairs, holm(p), strict=True) if value >= level}
    reach = t_quantile(level, df) if df else 0.0
    standings = []
    for place, name in enumerate(order, 1):
        mean, half = float(logs[name].mean()), reach * errors[name] if df else 0.0
        low, high = (_score(mean + side * half, noise) if df else None for side in (-1, 1))
        others = tuple(o for o in order if (name, o) in tied or (o, name) in tied)
        standings.append(Standing(name, place, _score(mean, noise), low, high, others))
    return standings


def _errors(logs: Mapping[str, np.ndarray]) -> tuple[dict[str, float], int]:
    """The standard error of each candidate's mean, and the degrees of freedom behind them all.

    The deviation between seeds is pooled over candidates, because two or three seeds of one say next to nothing; but a candidate
    whose seeds scatter more than that keeps its own, or else an erratic one would win by luck twice as often.
    """
    squares = {name: float(((v - v.mean()) ** 2).sum()) for name, v in logs.items()}
    df = sum(len(v) - 1 for v in logs.values())
    pooled = sum(squares.values()) / df if df else math.inf
    return {n: math.sqrt(max(pooled, squares[n] / max(len(v) - 1, 1)) / len(v)) for n, v in logs.items()}, df


def _p_value(difference: float, error: float, df: int) -> float:
    if difference == 0 or not df:
        return 1.0
    return t_tail(difference / error, df) if error else 0.0


def _score(logarithm: float, noise: float) -> float:
    return max(math.exp(min(logarithm, 700)) - noise, 0.0)
