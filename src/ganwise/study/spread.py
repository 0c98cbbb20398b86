"""How much seeds differ, and whether they move all candidates alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ganwise.study.tails import f_tail

SHARED = 0.05
"""Level at which seeds must be seen to move all candidates alike before candidates are compared seed by seed."""


class Spread(NamedTuple):
    """How much seeds differ: standard errors of the candidates' means, the degrees of freedom behind them, and of what."""

    errors: Mapping[str, float]
    df: int
    residuals: np.ndarray  # logs less what the model explains, with the variance of a single seed
    paired: bool


def spread_of(logs: Mapping[str, np.ndarray], seeds: Mapping[str, Sequence[int]] | None) -> Spread:
    """The standard error of each candidate's mean, and the degrees of freedom behind them all.

    The deviation between seeds is pooled over candidates, because two or three seeds of one say next to nothing; but a candidate
    whose seeds scatter more than that keeps its own, or else an erratic one would win by luck twice as often.
    """
    residuals = {name: v - v.mean() for name, v in logs.items()}
    df = sum(len(v) - 1 for v in logs.values())
    common = _shared(residuals, seeds)
    if common is not None:
        residuals = {name: v - common for name, v in residuals.items()}
        df -= len(common) - 1
    squares = {name: float((v**2).sum()) for name, v in residuals.items()}
    pooled = sum(squares.values()) / df if df else math.inf
    lost = df / sum(len(v) for v in logs.values())  # of a residual's variance, what the model has not taken away
    errors = {n: math.sqrt(max(pooled, squares[n] / max(len(v) - 1, 1)) / len(v)) for n, v in logs.items()}
    every = np.concatenate(list(residuals.values())) / math.sqrt(lost) if df else np.zeros(1)
    return Spread(errors, df, every, common is not None)


def _shared(residuals: Mapping[str, np.ndarray], seeds: Mapping[str, Sequence[int]] | None) -> np.ndarray | None:
    """What each seed does to all candidates, where they share their seeds and that is seen at `SHARED`; in the order of values.

    Source: the F test of a randomized block design (fisher1935design). Without it pairing costs a third of the degrees of
    freedom of three finalists and, in the runs of docs/race.md, gives nothing for them.
    """
    if seeds is None or len(residuals) < 2 or len({tuple(seeds[name]) for name in residuals}) != 1:
        return None
    table = np.stack(list(residuals.values()))
    candidates, count = table.shape
    if count < 2:
        return None
    effect = table.mean(0)
    above, below = count - 1, (count - 1) * (candidates - 1)
    left = float(((table - effect) ** 2).sum()) / below
    if not left:
        return None
    return effect if f_tail(candidates * float((effect**2).sum()) / above / left, above, below) < SHARED else None
