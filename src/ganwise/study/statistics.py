"""Who is better, and is it certain: means over seeds with intervals, ties where the difference may be chance, what settles it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ganwise.study import bootstrap
from ganwise.study.spread import Spread, spread_of
from ganwise.study.tails import t_quantile, t_tail

POWER = 0.8
"""Chance that the seeds asked for make a difference as large as the one seen significant."""
APART = 0.1
"""Of the variance of a score from its samples, what candidates do not share. All are scored on the same test samples, and others
would move all scores alike: measured on digits, the correlation is 0.93 (docs/race.md)."""
MOST_SEEDS = 1000
"""More than this many seeds will not settle anything."""


class Standing(NamedTuple):
    """A candidate's place: the mean over its seeds on the log scale that ranks, a 95 % interval of it, with whom it may be tied.

    The interval is None where no candidate has a second seed: then nothing is known of how much seeds differ. ``rank_low`` and
    ``rank_high`` bound its rank, 95 % for each candidate alone: what other seeds and other samples may have given it.
    """

    name: str
    rank: int
    mean: float
    low: float | None
    high: float | None
    tied_with: tuple[str, ...]
    rank_low: int
    rank_high: int


class Undecided(NamedTuple):
    """What would decide between the leader and the one nearest to it among those it is tied with.

    ``more_seeds`` for each of the two, and what they cost together, in seconds; None where no number of seeds can be named.
    """

    pair: tuple[str, str]
    more_seeds: int | None
    more_seconds: float | None


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for many comparisons. Source: holm1979sequential, the sequentially rejective procedure."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected, running = [0.0] * len(p), 0.0
    for place, i in enumerate(order):
        running = max(running, (len(p) - place) * p[i])
        corrected[i] = min(1.0, running)
    return corrected


def rank(
    values: Mapping[str, Sequence[float]],
    lower_is_better: bool,
    noise: float,
    level: float = 0.05,
    samples: Mapping[str, Sequence[float]] | None = None,
    seeds: Mapping[str, Sequence[int]] | None = None,
) -> list[Standing]:
    """Candidates from best to worst by the mean over seeds of the log of their score.

    Scores such as KID vary in proportion to their size, so they are compared as log(score + noise), where ``noise`` is the
    size of score that the test set itself can't tell from zero. A tie means: after Holm's correction no difference at ``level``.
    With a single seed everywhere nothing can be told apart, and all are tied. Where ``seeds`` names the seed of each value and
    all candidates share them, they are compared seed by seed if seeds are seen to matter.

    ``samples`` holds each score's standard error from its finite samples. What of it candidates do not share (`APART`) counts in
    ties and ranks: or else seeds that agree closely would make a difference certain that other test samples would turn around.
    """
    logs = _logs(values, noise)
    order = _order(logs, lower_is_better)
    spread, apart = spread_of(logs, seeds), _apart(samples, values, noise)
    tied = _ties(logs, order, spread, apart, level)
    ranks = bootstrap.ranks(logs, order, spread, apart, level)
    if other := _nearest(order, tied):  # no winner: then the intervals, which know of no correction, must not name one either
        ranks[order[0]] = 1, max(ranks[order[0]][1], order.index(other) + 1)
        ranks[other] = 1, ranks[other][1]
    reach = t_quantile(level, spread.df) if spread.df else 0.0
    standings = []
    for place, name in enumerate(order, 1):
        mean, half = float(logs[name].mean()), reach * spread.errors[name] if spread.df else 0.0
        low, high = (_score(mean + side * half, noise) if spread.df else None for side in (-1, 1))
        others = tuple(o for o in order if (name, o) in tied or (o, name) in tied)
        standings.append(Standing(name, place, _score(mean, noise), low, high, others, *ranks[name]))
    return standings


def settle(
    values: Mapping[str, Sequence[float]],
    lower_is_better: bool,
    noise: float,
    seconds: Mapping[str, float] | None = None,
    level: float = 0.05,
    samples: Mapping[str, Sequence[float]] | None = None,
    seeds: Mapping[str, Sequence[int]] | None = None,
) -> Undecided | None:
    """How many more seeds would tell the leader from the nearest of those it is tied with; None where it is tied with nobody.

    So many that a difference as large as the one seen becomes significant with a chance of `POWER`, at the spread seen, under
    the correction for the comparisons that are open now. The difference seen is itself uncertain: an order of size, no promise.
    ``seconds`` is what one more run of each candidate costs. Where the test samples can't tell the two, no seeds will.
    """
    logs = _logs(values, noise)
    order = _order(logs, lower_is_better)
    spread, apart = spread_of(logs, seeds), _apart(samples, values, noise)
    tied = _ties(logs, order, spread, apart, level)
    other = _nearest(order, tied)
    if other is None:
        return None
    a, b = order[0], other
    difference = abs(float(logs[a].mean() - logs[b].mean()))
    pair = {n: (spread.errors[n], apart[n], len(logs[n])) for n in (a, b)}
    more = _seeds_needed(difference, pair, spread.df, level / len(tied))
    cost = None if more is None or seconds is None else round(more * (seconds[a] + seconds[b]), 1)
    return Undecided((a, b), more, cost)


def _seeds_needed(difference: float, pair: Mapping[str, tuple[float, float, int]], df: int, level: float) -> int | None:
    if not df or not difference:
        return None

    def enough(more: int) -> bool:
        error = math.sqrt(sum(e * e * n / (n + more) + own * own for e, own, n in pair.values()))
        known = df + 2 * more
        # P(T < t) = POWER is a two-sided tail of 2 (1 - POWER)
        return difference >= error * (t_quantile(level, known) + t_quantile(2 * (1 - POWER), known))

    if not enough(MOST_SEEDS):
        return None
    return bisect.bisect_left(range(1, MOST_SEEDS + 1), True, key=enough) + 1


def _logs(values: Mapping[str, Sequence[float]], noise: float) -> dict[str, np.ndarray]:
    return {name: np.log(np.maximum(np.asarray(v, float), 0) + noise) for name, v in values.items()}


def _apart(
    samples: Mapping[str, Sequence[float]] | None, values: Mapping[str, Sequence[float]], noise: float
) -> dict[str, float]:
    """Of each candidate's mean log, the standard error from samples that it does not share with the others."""
    if samples is None:
        return dict.fromkeys(values, 0.0)
    share = math.sqrt(APART)
    return {n: share * float(np.mean(np.asarray(samples[n], float) / (np.maximum(v, 0) + noise))) for n, v in values.items()}


def _order(logs: Mapping[str, np.ndarray], lower_is_better: bool) -> list[str]:
    return sorted(logs, key=lambda name: logs[name].mean() * (1 if lower_is_better else -1))


def _ties(
    logs: Mapping[str, np.ndarray], order: Sequence[str], spread: Spread, apart: Mapping[str, float], level: float
) -> set[tuple[str, str]]:
    pairs = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    errors = {name: math.hypot(spread.errors[name], apart[name]) for name in order}
    p = [_p_value(logs[a].mean() - logs[b].mean(), math.hypot(errors[a], errors[b]), spread.df) for a, b in pairs]
    return {pair for pair, value in zip(pairs, holm(p), strict=True) if value >= level}


def _nearest(order: Sequence[str], tied: set[tuple[str, str]]) -> str | None:
    """The first of those that the leader is tied with."""
    return next((one for one in order[1:] if (order[0], one) in tied), None)


def _p_value(difference: float, error: float, df: int) -> float:
    if difference == 0 or not df:
        return 1.0
    return t_tail(difference / error, df) if error else 0.0


def _score(logarithm: float, noise: float) -> float:
    return max(math.exp(min(logarithm, 700)) - noise, 0.0)
