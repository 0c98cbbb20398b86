"""How far down or up other seeds and other samples might have put a candidate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ganwise.study.spread import Spread

DRAWS, SEED = 2000, 0


def ranks(
    logs: Mapping[str, np.ndarray],
    order: Sequence[str],
    spread: Spread,
    apart: Mapping[str, float],
    level: float = 0.05,
) -> dict[str, tuple[int, int]]:
    """The interval of each candidate's rank at 1 - ``level``: a bootstrap over seeds and over the samples of every score.

    In each draw every seed gets one of the pooled residuals, as large as the candidate's own scatter asks for, and the candidate
    a normal error of the size ``apart``: of what other samples would change, the part that it does not share with the others. The
    size of the residuals is itself drawn, from the scaled inverse chi-square of their degrees of freedom, so that few seeds give
    wide intervals. Without a second seed every rank is possible. Source: agarwal2021deep, stratified bootstrap over runs.

    ``order`` is the candidates from best to worst.
    """
    count = len(order)
    if not spread.df:
        return dict.fromkeys(order, (1, count))
    rng = np.random.default_rng(SEED)
    size = math.sqrt(float((spread.residuals**2).mean())) or 1.0
    scale = np.sqrt(spread.df / rng.chisquare(spread.df, DRAWS)) / size
    ascending = logs[order[0]].mean() <= logs[order[-1]].mean()
    means = np.empty((count, DRAWS))
    for place, name in enumerate(order):
        seeds = len(logs[name])
        drawn = rng.choice(spread.residuals, (seeds, DRAWS)).mean(0) * scale * spread.errors[name] * math.sqrt(seeds)
        means[place] = logs[name].mean() + drawn + apart[name] * rng.normal(size=DRAWS)
    places = (means if ascending else -means).argsort(0).argsort(0) + 1
    low = np.quantile(places, level / 2, axis=1, method="lower")
    high = np.quantile(places, 1 - level / 2, axis=1, method="higher")
    return {name: (int(low[i]), int(high[i])) for i, name in enumerate(order)}
